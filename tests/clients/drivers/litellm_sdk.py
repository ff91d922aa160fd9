"""LiteLLM's SDK, with its prefix for any OpenAI-compatible API."""

import json

import litellm
from pydantic import BaseModel

import checks

litellm.suppress_debug_info = True
COMMON = {"api_base": checks.URL, "api_key": checks.KEY, "num_retries": 0, "max_retries": 0, "timeout": 30}
MODEL, CUT = f"openai/{checks.MODEL}", f"openai/{checks.CUT}"
MESSAGES = [{"role": "user", "content": checks.QUESTION}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


class City(BaseModel):
    name: str
    people: int


def models():
    listed = litellm.get_valid_models(
        check_provider_endpoint=True,
        custom_llm_provider="openai",
        api_base=checks.URL.removesuffix("/v1"),
        api_key=checks.KEY,
    )
    assert any(checks.MODEL in name for name in listed), listed


def chat(**more):
    answer = litellm.completion(**{"model": MODEL, "messages": MESSAGES, **COMMON, **more})
    checks.expect(answer.choices[0].message.content, checks.TEXT)


def stream(model=MODEL):
    chunks = litellm.completion(model=model, messages=MESSAGES, stream=True, **COMMON)
    checks.expect_pieces([chunk.choices[0].delta.content for chunk in chunks])


def tools():
    messages = [{"role": "user", "content": checks.USE_TOOL}]
    message = litellm.completion(model=MODEL, messages=messages, tools=TOOLS, **COMMON).choices[0].message
    call = message.tool_calls[0]
    checks.expect(json.loads(call.function.arguments), {"city": "Paris"})
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": checks.WEATHER}]
    answer = litellm.completion(model=MODEL, messages=messages, tools=TOOLS, **COMMON)
    checks.expect(answer.choices[0].message.content, checks.TOOL_TEXT)


def schema():
    answer = litellm.completion(model=MODEL, messages=MESSAGES, response_format=City, **COMMON)
    checks.expect(City.model_validate_json(answer.choices[0].message.content), City(name="Paris", people=7))


def embeddings():
    answer = litellm.embedding(model=MODEL, input=["one", "two"], **COMMON)
    checks.expect([item["embedding"] for item in answer.data], [checks.VECTOR] * 2)


def wrong_key():
    checks.expect_error(lambda: chat(api_key=checks.WRONG_KEY), "AuthenticationError", "API key")


def cut():
    checks.expect_error(lambda: stream(CUT))


def responses():
    answer = litellm.responses(model=MODEL, input=checks.QUESTION, **COMMON)
    checks.expect(answer.output[0].content[0].text, checks.TEXT)


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
