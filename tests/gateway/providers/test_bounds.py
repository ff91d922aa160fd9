"""What is malformed, or megabytes of nonsense, is refused or told as an error, and nothing of it is logged."""

import gzip
import json
from typing import Any

import openai
import pytest
from tests.gateway.conftest import RunningGateway
from tests.gateway.providers.fake import Fake
from tests.gateway.providers.wires import Answer

CANARY = "canary-in-the-content"
MEGABYTES = f"{CANARY} " * (4 * 1024 * 1024 // (len(CANARY) + 1))
USER: dict[str, Any] = {"role": "user", "content": CANARY}
LONGEST_LOG = 20_000


def calling(arguments: str) -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    call = {"id": "c1", "type": "function", "function": function}
    return {"role": "assistant", "content": CANARY, "tool_calls": [call]}


def parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "f", "parameters": schema}}]


def image(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "cut arguments": (
        {"messages": [USER, calling('{"x": "' + MEGABYTES)]},
        "messages[1].tool_calls[0].function.arguments",
    ),
    "an orphan of a tool": (
        {"messages": [USER, {"role": "tool", "tool_call_id": "c9", "content": MEGABYTES}]},
        "messages[1].tool_call_id",
    ),
    "raw base64": (
        {"messages": image("iVBORw0KGgo" + "A" * len(MEGABYTES))},
        "messages[0].content[0].image_url.url",
    ),
    "no object": ({"messages": [MEGABYTES]}, "messages[0]"),
    "a number as content": ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    "a type that nobody knows": (
        {"messages": [{"role": "user", "content": [{"type": "holo", "holo": MEGABYTES}]}]},
        "messages[0].content[0].type",
    ),
    "tokens in quotes": ({"messages": [USER], "max_tokens": "5"}, "max_tokens"),
    "no tokens in quotes": ({"messages": [USER], "max_tokens": ""}, "max_tokens"),
    "definitions that double": (
        {
            "messages": [USER],
            "tools": parameters(
                {
                    "type": "object",
                    "properties": {"a": {"$ref": "#/$defs/d0"}},
                    "$defs": {
                        f"d{n}": {
                            "type": "object",
                            "properties": {side: {"$ref": f"#/$defs/d{n + 1}"} for side in "ab"},
                        }
                        for n in range(25)
                    }
                    | {"d25": {"type": "string"}},
                }
            ),
        },
        "tools[0].function.parameters",
    ),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", MALFORMED)
@pytest.mark.parametrize("model", ["gemini", "anthropic", "bedrock"])
def test_what_is_malformed_is_refused_by_its_place(
    gateway: RunningGateway, fakes: dict[str, Fake], model: str, fault: str, stream: bool
) -> None:
    fields, param = MALFORMED[fault]
    fakes[model].told(Answer())
    logged = len("".join(gateway.output))
    with pytest.raises(openai.BadRequestError) as refused:
        gateway.client().post(
            "/chat/completions", body={"model": model, "stream": stream, **fields}, cast_to=object
        )
    assert refused.value.param == param
    assert CANARY not in refused.value.message
    assert not fakes[model].received
    assert_little_is_logged(gateway, logged)


@pytest.mark.parametrize("model", ["gemini", "bedrock"])
def test_definitions_that_refer_to_each_other_end(
    gateway: RunningGateway, fakes: dict[str, Fake], model: str
) -> None:
    fakes[model].told(Answer())
    names = ("a", "b", "c")
    each = {"type": "object", "properties": {name: {"$ref": f"#/definitions/{name}"} for name in names}}
    schema = {
        "type": "object",
        "properties": {name: {"$ref": f"#/definitions/{name}"} for name in names},
        "definitions": dict.fromkeys(names, each),
    }
    with pytest.raises(openai.APIStatusError) as refused:
        gateway.client().chat.completions.create(
            model=model,
            messages=[USER],  # type: ignore[list-item]
            tools=parameters(schema),  # type: ignore[arg-type]
        )
    assert refused.value.status_code in (400, 500)


NONSENSE: dict[str, tuple[int, dict[str, str], bytes]] = {
    "an error of html": (500, {"Content-Type": "text/html"}, f"<p>{MEGABYTES}</p>".encode()),
    "an error in json": (400, {}, json.dumps({"error": {"message": MEGABYTES}}).encode()),
    "html": (200, {"Content-Type": "text/html"}, f"<p>{MEGABYTES}</p>".encode()),
    "half a document": (200, {}, b'{"x": "' + MEGABYTES.encode()),
    "another document": (200, {}, json.dumps({"x": MEGABYTES}).encode()),
    "a list": (200, {}, b"[" + b"1," * 1_000_000 + b"1]"),
    "an error that unfolds": (400, {"Content-Encoding": "gzip"}, gzip.compress(bytes(200 << 20), 9)),
    "an answer that unfolds": (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(200 << 20), 9)),
    "an event of nonsense": (200, {"Content-Type": "text/event-stream"}, f"data: {MEGABYTES}\n\n".encode()),
    "lines of nothing": (200, {"Content-Type": "text/event-stream"}, b"\n" * 2_000_000),
    "comments": (200, {"Content-Type": "text/event-stream"}, b": ping\n\n" * 20_000),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("sent", NONSENSE)
@pytest.mark.parametrize("model", ["gemini", "anthropic", "azure"])
def test_an_upstreams_nonsense_is_an_error(
    gateway: RunningGateway, fakes: dict[str, Fake], model: str, sent: str, stream: bool
) -> None:
    status, headers, body = NONSENSE[sent]
    if status == 200 and not stream and sent in ("an event of nonsense", "lines of nothing", "comments"):
        pytest.skip("a stream that nobody asked for")
    fakes[model].told(Answer(status=status, raw=body, raw_headers=tuple(headers.items())))
    logged = len("".join(gateway.output))
    with pytest.raises(openai.APIError) as failed:
        answer = gateway.client().chat.completions.create(model=model, messages=[USER], stream=stream)  # type: ignore[list-item]
        for _ in answer if stream else ():
            pass
    assert len(failed.value.message) < 2000
    assert_little_is_logged(gateway, logged)


def assert_little_is_logged(gateway: RunningGateway, before: int) -> None:
    said = "".join(gateway.output)[before:]
    assert len(said) < LONGEST_LOG
    assert CANARY not in said
