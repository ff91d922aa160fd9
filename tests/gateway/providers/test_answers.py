"""What the LiteLLM lane makes of a provider's answers, and who is told of what goes wrong."""

import json
from typing import Any

import httpx
import openai
import pytest
from tests.gateway.conftest import KEY, RunningGateway
from tests.gateway.providers.conftest import Provider
from tests.gateway.providers.fake import Fake
from tests.gateway.providers.test_providers import QUESTION, WEATHER
from tests.gateway.providers.wires import Answer

EVENTS = (("Content-Type", "text/event-stream"),)
JSON = (("Content-Type", "application/json"),)


def sse(*events: dict[str, Any]) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "claude", "content": []}
START = {"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 3, "output_tokens": 1}}}
TEXT = (
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}},
)
TOOL = (
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t", "name": "now", "input": {}},
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)


def post(gateway: RunningGateway, **body: Any) -> httpx.Response:
    content = json.dumps({"messages": QUESTION, **body})
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    return httpx.post(f"{gateway.base_url}/chat/completions", content=content, headers=headers, timeout=30)


def events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line for line in response.text.split("\n\n") if line]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_each_chunk_has_what_openais_has(gateway: RunningGateway, name: str, fake: Fake) -> None:
    fake.told(Answer())
    chunks = events(post(gateway, model=name, stream=True))
    assert {chunk["model"] for chunk in chunks} == {name}
    choices = [chunk["choices"][0] for chunk in chunks]
    assert all("finish_reason" in choice for choice in choices)
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]


def test_an_answer_carries_the_name_that_was_asked_for(
    gateway: RunningGateway, name: str, fake: Fake
) -> None:
    fake.told(Answer())
    assert post(gateway, model=name).json()["model"] == name


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_tells_the_providers_limits_and_its_request(
    gateway: RunningGateway, provider: Provider, name: str, fake: Fake, stream: bool
) -> None:
    told = {
        "anthropic-ratelimit-tokens-remaining": "39000",
        "x-ratelimit-limit-requests": "60",
        "retry-after": "7",
        "x-request-id": f"req_1 {provider.secret}",
    }
    kept_back = {"openai-organization": "org", "set-cookie": "a=b", "server": "x", "x-other": "y"}
    fake.told(Answer(raw_headers=(*told.items(), *kept_back.items())))
    answer = post(gateway, model=name, stream=stream)
    told["x-request-id"] = "req_1 ***"
    for header, value in told.items():
        assert answer.headers[header] == answer.headers[f"llm_provider-{header}"] == value
    names = {name.removeprefix("llm_provider-") for name in answer.headers}
    assert not kept_back.keys() & names


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_without_arguments_has_empty_ones(
    gateway: RunningGateway, fakes: dict[str, Fake], stream: bool
) -> None:
    if stream:
        fakes["anthropic"].told(Answer(raw=sse(START, *TOOL), raw_headers=EVENTS))
        chunks = events(post(gateway, model="anthropic", stream=True, tools=[WEATHER]))
        calls = [
            call for chunk in chunks for call in chunk["choices"][0].get("delta", {}).get("tool_calls") or ()
        ]
        assert {call["index"] for call in calls} == {0}
        assert "".join(call["function"].get("arguments") or "" for call in calls) == "{}"
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    else:
        fakes["azure"].told(Answer(tool=("now", {})))
        (call,) = post(gateway, model="azure", tools=[WEATHER]).json()["choices"][0]["message"]["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {}


@pytest.mark.parametrize("says", ["", ' "message_stop"', " data: [DONE]", ' "stop_reason": "end_turn"'])
def test_a_stream_that_ends_short_is_no_whole_answer(
    gateway: RunningGateway, fakes: dict[str, Fake], says: str
) -> None:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": says}}
    fakes["anthropic"].told(Answer(raw=sse(START, *TEXT, delta), raw_headers=EVENTS))
    seen = []
    with pytest.raises(openai.APIError) as broke:
        for chunk in gateway.client().chat.completions.create(
            model="anthropic", messages=QUESTION, stream=True
        ):
            seen += [choice.delta.content for choice in chunk.choices]
            assert not [choice for choice in chunk.choices if choice.finish_reason]
    assert broke.value.code == "upstream_broken"
    assert "half" in seen


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "document", "status", "message"),
    [
        (
            "anthropic",
            {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}},
            503,
            "Busy",
        ),
        (
            "gemini",
            {"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}},
            429,
            "Quota",
        ),
        ("azure", {"error": {"message": "no credits", "code": 402}}, 402, "no credits"),
        ("azure", {"detail": "Not authenticated"}, 502, "Not authenticated"),
        ("azure", {"text": "something else"}, 502, "something that is no answer"),
        ("bedrock", {"Output": {"__type": "x#UnknownOperationException"}, "Version": "1.0"}, 502, ""),
    ],
)
def test_an_error_with_status_200_is_an_error(
    gateway: RunningGateway,
    fakes: dict[str, Fake],
    stream: bool,
    model: str,
    document: dict[str, Any],
    status: int,
    message: str,
) -> None:
    fakes[model].told(Answer(raw=json.dumps(document).encode(), raw_headers=JSON))
    answer = post(gateway, model=model, stream=stream)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


CHUNK = b'data: {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}'


@pytest.mark.parametrize("end", [b"", b"\n\ndata: [DONE]"])
def test_a_streams_last_event_needs_no_blank_line(
    gateway: RunningGateway, fakes: dict[str, Fake], end: bytes
) -> None:
    fakes["azure"].told(Answer(raw=CHUNK + end, raw_headers=EVENTS))
    (chunk,) = events(post(gateway, model="azure", stream=True))
    assert chunk["choices"][0]["finish_reason"] == "stop"


def test_odd_headers_and_values_cost_no_answer_and_write_no_log(
    gateway: RunningGateway, fakes: dict[str, Fake]
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "logprobs": "PRIVATE"}
    document = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    headers = (*JSON, ("X-Name", "caf\xe9"), ("x-request-id", "caf\xe9"))
    fakes["azure"].told(Answer(raw=json.dumps(document).encode(), raw_headers=headers))
    answer = post(gateway, model="azure")
    assert answer.json()["choices"][0]["message"]["content"] == "x"
    assert not [line for line in gateway.output if "PRIVATE" in line or not line.startswith("{")]


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_surrogate_pair_never_makes_invalid_text(
    gateway: RunningGateway, fakes: dict[str, Fake], stream: bool
) -> None:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x\ud83d"}}
    end = (
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        TOOL[-1],
    )
    whole = {
        **MESSAGE,
        "content": [{"type": "text", "text": "x\ud83d"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }
    raw = sse(START, TEXT[0], delta, *end) if stream else json.dumps(whole).encode()
    fakes["anthropic"].told(Answer(raw=raw, raw_headers=EVENTS if stream else JSON))
    answer = post(gateway, model="anthropic", stream=stream)
    answer.content.decode()  # else it is no UTF-8
    assert answer.status_code == 200
    assert "x\\ud83d" in answer.text


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"verbosity": "low"}, "verbosity"),
        ({"logit_bias": {"1": 2}, "model": "anthropic"}, "logit_bias"),
    ],
)
def test_a_field_that_a_provider_does_not_take_is_named_without_the_operators_advice(
    gateway: RunningGateway, fakes: dict[str, Fake], body: dict[str, Any], param: str
) -> None:
    fakes["anthropic"].told(Answer())
    answer = post(gateway, **{"model": "anthropic", **body})
    if answer.status_code == 200:
        return  # LiteLLM drops it by itself
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported_parameter", param)
    assert "litellm" not in error["message"].lower() and "drop_params" not in error["message"]
    assert not fakes["anthropic"].received


@pytest.mark.parametrize(
    ("model", "messages"),
    [
        ("anthropic", [{"role": "system", "content": "PRIVATE"}]),
        (
            "anthropic",
            [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/PRIVATE"}}],
                }
            ],
        ),
        ("azure", [{"role": "user", "content": "PRIVATE \ud83d"}]),
    ],
)
def test_what_litellm_refuses_is_the_clients_to_mend_in_the_gateways_words(
    gateway: RunningGateway, fakes: dict[str, Fake], model: str, messages: list[dict[str, Any]]
) -> None:
    fakes[model].told(Answer())
    error = post(gateway, model=model, messages=messages)
    assert (error.status_code, error.json()["error"]["code"]) == (400, "invalid_request")
    assert "litellm" not in error.text.lower() and "PRIVATE" not in error.text
    assert not [line for line in gateway.output if "PRIVATE" in line]
    assert not fakes[model].received


def test_what_comes_back_unreadable_is_the_providers_fault(
    gateway: RunningGateway, fakes: dict[str, Fake]
) -> None:
    fakes["gemini"].told(Answer(raw=b'{"candidates": "none"}', raw_headers=JSON))
    answer = post(gateway, model="gemini")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_broken")
