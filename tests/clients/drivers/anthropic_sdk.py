"""Anthropic's SDK for Python."""

import os

import anthropic

import checks

client = anthropic.Anthropic(
    base_url=os.environ["ANTHROPIC_BASE_URL"], api_key=checks.KEY, max_retries=0, timeout=30
)
MESSAGES = [{"role": "user", "content": checks.QUESTION}]
TOOLS = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]


def models():
    listed = [model.id for model in client.models.list()]
    assert checks.MODEL in listed, listed


def chat():
    answer = client.messages.create(model=checks.MODEL, max_tokens=50, messages=MESSAGES)
    checks.expect(answer.content[0].text, checks.TEXT)


def stream(model=checks.MODEL):
    with client.messages.stream(model=model, max_tokens=50, messages=MESSAGES) as events:
        checks.expect_pieces(list(events.text_stream))


def tools():
    messages = [{"role": "user", "content": checks.USE_TOOL}]
    answer = client.messages.create(model=checks.MODEL, max_tokens=50, messages=messages, tools=TOOLS)
    (use,) = (block for block in answer.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use.id, "content": checks.WEATHER}
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    answer = client.messages.create(model=checks.MODEL, max_tokens=50, messages=messages, tools=TOOLS)
    checks.expect(answer.content[0].text, checks.TOOL_TEXT)


def wrong_key():
    wrong = client.with_options(api_key=checks.WRONG_KEY)
    checks.expect_error(
        lambda: wrong.messages.create(model=checks.MODEL, max_tokens=50, messages=MESSAGES),
        "AuthenticationError",
        "API key",
    )


def cut():
    chat()  # an error that every call meets is none of a cut
    checks.expect_error(lambda: stream(checks.CUT))


checks.run(
    {"models": models, "chat": chat, "stream": stream, "tools": tools, "wrong key": wrong_key, "cut": cut}
)
