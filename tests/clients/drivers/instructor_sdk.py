"""Instructor, whose every answer is a typed object."""

import instructor
import openai
from pydantic import BaseModel

import checks

CITY = {"name": "Paris", "people": 7}
MESSAGES = [{"role": "user", "content": checks.QUESTION}]


class City(BaseModel):
    name: str
    people: int


def client(mode=instructor.Mode.TOOLS, **options):
    return instructor.from_openai(openai.OpenAI(max_retries=0, timeout=30, **options), mode=mode)


def ask(made, **more):
    return made.chat.completions.create(
        **{"model": checks.MODEL, "messages": MESSAGES, "response_model": City, "max_retries": 0, **more}
    )


def tools():
    checks.expect(ask(client()).model_dump(), CITY)


def schema():
    checks.expect(ask(client(instructor.Mode.JSON_SCHEMA)).model_dump(), CITY)


def stream():
    parts = list(
        client().chat.completions.create_partial(
            model=checks.MODEL, messages=MESSAGES, response_model=City, max_retries=0
        )
    )
    checks.expect(parts[-1].model_dump(), CITY)


def wrong_key():
    checks.expect_error(lambda: ask(client(api_key=checks.WRONG_KEY)), "API key")


def responses():
    checks.expect(ask(client(instructor.Mode.RESPONSES_TOOLS)).model_dump(), CITY)


checks.run(
    {"stream": stream, "tools": tools, "schema": schema, "wrong key": wrong_key, "responses": responses}
)
