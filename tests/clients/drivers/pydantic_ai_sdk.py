"""Pydantic AI."""

import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import checks


class City(BaseModel):
    name: str
    people: int


def agent(name=checks.MODEL, key=checks.KEY, **options):
    provider = OpenAIProvider(base_url=checks.URL, api_key=key)
    return Agent(OpenAIChatModel(name, provider=provider), **options)


def chat():
    checks.expect(agent().run_sync(checks.QUESTION).output, checks.TEXT)


def stream(name=checks.MODEL):
    async def read():
        async with agent(name).run_stream(checks.QUESTION) as result:
            return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]

    checks.expect_pieces(asyncio.run(read()))


def tools():
    helped = agent()

    @helped.tool_plain
    def weather(city: str) -> str:
        return checks.WEATHER

    checks.expect(helped.run_sync(checks.USE_TOOL).output, checks.TOOL_TEXT)


def schema():
    for output in (City, NativeOutput(City)):
        checks.expect(
            agent(output_type=output).run_sync(checks.QUESTION).output, City(name="Paris", people=7)
        )


def wrong_key():
    checks.expect_error(lambda: agent(key=checks.WRONG_KEY).run_sync(checks.QUESTION), "401", "API key")


def cut():
    checks.expect_error(lambda: stream(checks.CUT))


def responses():
    checks.expect(Agent(f"openai:{checks.MODEL}").run_sync(checks.QUESTION).output, checks.TEXT)


checks.run(
    {
        "chat": chat,
        "stream": stream,
        "tools": tools,
        "schema": schema,
        "wrong key": wrong_key,
        "cut": cut,
        "responses": responses,
    }
)
