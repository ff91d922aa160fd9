"""OpenAI's Agents SDK."""

import asyncio

import agents
import openai
from pydantic import BaseModel

import checks

agents.set_tracing_disabled(True)


class City(BaseModel):
    name: str
    people: int


@agents.function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return checks.WEATHER


def agent(name=checks.MODEL, kind=agents.OpenAIChatCompletionsModel, key=checks.KEY, **options):
    client = openai.AsyncOpenAI(api_key=key, max_retries=0, timeout=30)
    return agents.Agent("assistant", model=kind(name, client), **options)


def ask(made, question=checks.QUESTION):
    return agents.Runner.run_sync(made, question).final_output


def chat():
    checks.expect(ask(agent()), checks.TEXT)


def stream(name=checks.MODEL):
    async def read():
        result = agents.Runner.run_streamed(agent(name), checks.QUESTION)
        return [
            event.data.delta
            async for event in result.stream_events()
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        ]

    checks.expect_pieces(asyncio.run(read()))


def tools():
    checks.expect(ask(agent(tools=[weather]), checks.USE_TOOL), checks.TOOL_TEXT)


def schema():
    checks.expect(ask(agent(output_type=City)), City(name="Paris", people=7))


def wrong_key():
    checks.expect_error(lambda: ask(agent(key=checks.WRONG_KEY)), "AuthenticationError", "API key")


def cut():
    checks.expect_error(lambda: stream(checks.CUT))


def responses():
    checks.expect(ask(agent(kind=agents.OpenAIResponsesModel)), checks.TEXT)


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
