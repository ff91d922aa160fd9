"""OpenAI's SDK for Python."""

import openai
from pydantic import BaseModel

import checks

client = openai.OpenAI(max_retries=0, timeout=30)
MESSAGES = [{"role": "user", "content": checks.QUESTION}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


class City(BaseModel):
    name: str
    people: int


def models():
    listed = [model.id for model in client.models.list()]
    assert checks.MODEL in listed, listed
    checks.expect(client.models.retrieve(checks.MODEL).id, checks.MODEL)


def chat():
    answer = client.chat.completions.create(model=checks.MODEL, messages=MESSAGES)
    checks.expect(answer.choices[0].message.content, checks.TEXT)
    checks.expect(answer.model, checks.MODEL)
    assert answer.usage and answer.usage.total_tokens > 0


def stream(model=checks.MODEL):
    chunks = client.chat.completions.create(
        model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    kept = list(chunks)
    checks.expect_pieces(choice.delta.content for chunk in kept for choice in chunk.choices)
    assert kept[-1].usage and kept[-1].usage.total_tokens > 0


def tools():
    messages = [{"role": "user", "content": checks.USE_TOOL}]
    with client.chat.completions.stream(model=checks.MODEL, messages=messages, tools=TOOLS) as events:
        message = events.get_final_completion().choices[0].message
    call = message.tool_calls[0]
    checks.expect((call.function.name, call.function.arguments), ("weather", '{"city":"Paris"}'))
    messages += [
        message.model_dump(exclude_none=True, exclude={"parsed"}),
        {"role": "tool", "tool_call_id": call.id, "content": checks.WEATHER},
    ]
    answer = client.chat.completions.create(model=checks.MODEL, messages=messages, tools=TOOLS)
    checks.expect(answer.choices[0].message.content, checks.TOOL_TEXT)


def schema():
    answer = client.chat.completions.parse(model=checks.MODEL, messages=MESSAGES, response_format=City)
    checks.expect(answer.choices[0].message.parsed, City(name="Paris", people=7))


def embeddings():
    answer = client.embeddings.create(model=checks.MODEL, input=["one", "two"])
    checks.expect([item.embedding for item in answer.data], [checks.VECTOR] * 2)


def wrong_key():
    wrong = client.with_options(api_key=checks.WRONG_KEY)
    checks.expect_error(
        lambda: wrong.chat.completions.create(model=checks.MODEL, messages=MESSAGES),
        "AuthenticationError",
        "API key",
    )


def cut():
    checks.expect_error(lambda: stream(checks.CUT))


def responses():
    checks.expect(client.responses.create(model=checks.MODEL, input=checks.QUESTION).output_text, checks.TEXT)


checks.run(
    {
        "models": models,
        "chat": chat,
        "stream": stream,
        "tools": tools,
        "schema": schema,
        "embeddings": embeddings,
        "wrong key": wrong_key,
        "cut": cut,
        "responses": responses,
    }
)
