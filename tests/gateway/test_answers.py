"""Answers of a direct upstream that are not what was asked for: errors with status 200, documents for streams."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import openai
import pytest
from tests.gateway.conftest import RunningGateway, Start
from tests.gateway.test_direct import QUESTION

from pennyworth.gateway.dialects import openai as dialect
from pennyworth.gateway.lanes.failures import find_error

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
WHOLE: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "real-name-2025",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": 'It says "model": "x".', "tool_calls": [CALL]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


class Upstream:
    """An upstream that answers each request with the same bytes."""

    def __init__(self) -> None:
        self.status, self.kind, self.body = 200, "application/json", b""
        self.headers: dict[str, str] = {}
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(upstream.status)
                for name, value in {"Content-Type": upstream.kind, **upstream.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(upstream.body)))
                self.end_headers()
                self.wfile.write(upstream.body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    answering = Upstream()
    Thread(target=answering.server.serve_forever, daemon=True).start()
    yield answering
    answering.server.shutdown()
    answering.server.server_close()


@pytest.fixture
def gateway(start_gateway: Start, upstream: Upstream) -> RunningGateway:
    base = f"http://127.0.0.1:{upstream.server.server_port}/v1"
    params = {"model": "hosted_vllm/real-name", "api_base": base}
    return start_gateway({"model_list": [{"model_name": "smart", "litellm_params": params}]})


def ask(gateway: RunningGateway, stream: bool, **more: Any) -> Any:
    answer = gateway.client().chat.completions.create(model="smart", messages=QUESTION, stream=stream, **more)
    return list(answer) if stream else answer


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("document", "status", "message"),
    [
        ({"error": {"message": "no credits", "code": 402}}, 402, "no credits"),
        ({"error": {"message": "slow down", "type": "rate_limit_error"}}, 429, "slow down"),
        (
            {"error": {"message": "Overloaded", "type": "overloaded_error"}, "type": "error"},
            503,
            "Overloaded",
        ),
        ({"error": "it broke"}, 502, "it broke"),
        ([{"error": {"message": "in a list", "code": 503}}], 503, "in a list"),
        ({"Output": {"__type": "x#UnknownOperationException"}, "Version": "1.0"}, 502, "UnknownOperation"),
        ({"detail": "Not authenticated"}, 502, "Not authenticated"),
        ({"message": "slow down", "code": 429}, 429, "slow down"),
        ({"Message": "not for you"}, 502, "not for you"),
        ({"text": "something else"}, 502, "no field 'choices'"),
        ([], 502, "no JSON object"),
        (None, 502, "no JSON object"),
        ({"error": {"message": "beside", "code": 503}, "message": "beside"}, 503, "beside"),
        ({"error": {"message": "with none", "code": 429}, "choices": []}, 429, "with none"),
        ({"choices": None}, 502, "no field 'choices'"),
        (["text"], 502, "text"),
    ],
)
def test_an_error_with_status_200_is_an_error(
    gateway: RunningGateway, upstream: Upstream, stream: bool, document: Any, status: int, message: str
) -> None:
    upstream.body = json.dumps(document).encode()
    with pytest.raises(openai.APIStatusError) as failed:
        ask(gateway, stream)
    assert failed.value.status_code == status
    assert message in failed.value.message


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("kind", "body"), [("text/html", b"<html>"), ("application/json", b"{not json")])
def test_what_is_no_json_is_no_answer(
    gateway: RunningGateway, upstream: Upstream, stream: bool, kind: str, body: bytes
) -> None:
    upstream.kind, upstream.body = kind, body
    with pytest.raises(openai.InternalServerError) as failed:
        ask(gateway, stream)
    assert (failed.value.status_code, failed.value.code) == (502, "upstream_broken")


def test_a_document_for_a_stream_becomes_one(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.body = json.dumps(WHOLE).encode()
    chunks = ask(gateway, stream=True, stream_options={"include_usage": True})
    first, last, usage = chunks
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk.model for chunk in chunks} == {"smart"}
    assert first.choices[0].delta.content == WHOLE["choices"][0]["message"]["content"]
    assert first.choices[0].delta.tool_calls[0].function.name == "f"
    assert first.choices[0].finish_reason is None
    assert last.choices[0].finish_reason == "tool_calls"
    assert usage.usage.total_tokens == 3 and usage.choices == []


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, "nonsense"])
def test_a_chunk_without_choices_is_for_who_asks_for_it(
    gateway: RunningGateway, upstream: Upstream, options: Any
) -> None:
    upstream.body = json.dumps(WHOLE).encode()
    chunks = ask(gateway, stream=True, extra_body={"stream_options": options})
    assert all(chunk.choices for chunk in chunks)
    assert chunks[-1].usage.total_tokens == 3
    assert gateway.logged(lambda line: line.get("usage"))["usage"]["total_tokens"] == 3


def test_embeddings_are_whole_even_where_a_stream_is_asked_for(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.body = b'{"object": "list", "model": "m", "data": [{"index": 0, "embedding": [0.5]}]}'
    answer = gateway.client().embeddings.create(
        model="smart", input="x", encoding_format="float", extra_body={"stream": True}
    )
    assert answer.data[0].embedding == [0.5]


def test_an_answer_carries_the_name_that_was_asked_for(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.body = json.dumps(WHOLE).encode()
    answer = ask(gateway, stream=False)
    assert answer.model == "smart"
    assert answer.choices[0].message.content == WHOLE["choices"][0]["message"]["content"]


@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain", "application/octet-stream"])
def test_a_stream_is_known_by_its_events_not_by_its_type(
    gateway: RunningGateway, upstream: Upstream, kind: str
) -> None:
    upstream.kind, upstream.body = kind, dialect.events(WHOLE, {"stream_options": {"include_usage": True}})
    assert len(ask(gateway, stream=True)) == 3


EVENTS = dialect.events({**WHOLE, "usage": None}, {})


@pytest.mark.parametrize(
    "body",
    [
        b"retry: 3000\n\n" + EVENTS,
        b"id: 1\n" + EVENTS.replace(b"\n\n", b"\n\n: still there\n\n", 1),
        b"id: 1\r\nretry: 5\r\n" + EVENTS.replace(b"\n", b"\r\n"),
        b"id\nevent: message\n" + EVENTS.replace(b"data:", b"id: 7\ndata:"),
        EVENTS.removesuffix(b"\n\n"),
        EVENTS.removesuffix(b"\n"),
        EVENTS.removesuffix(b"\n\ndata: [DONE]\n\n"),
        b"\xef\xbb\xbfid: 1\r" + EVENTS.replace(b"\n", b"\r"),
    ],
)
def test_a_stream_is_read_whole_whatever_stands_around_its_data(
    gateway: RunningGateway, upstream: Upstream, body: bytes
) -> None:
    upstream.kind, upstream.body = "text/event-stream", body
    chunks = ask(gateway, stream=True)
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, "tool_calls"]


@pytest.mark.parametrize("begin", [b"", b"retry: 3000\n\n", b"id: 1\n"])
@pytest.mark.parametrize("end", [b"", b'data: {"id": "x', b"data: ", b": comment", b"id: 2\ndata: {\n"])
def test_a_stream_that_is_cut_ends_with_an_error_that_clients_read(
    gateway: RunningGateway, upstream: Upstream, begin: bytes, end: bytes
) -> None:
    whole = EVENTS[: EVENTS.index(b"\n\n") + 2]
    upstream.kind, upstream.body = "text/event-stream", begin + whole + end
    with pytest.raises(openai.APIError) as broke:
        ask(gateway, stream=True)
    assert broke.value.code == "upstream_broken"


@pytest.mark.parametrize("end", [b"", b"\n\n"])
def test_an_error_that_is_called_a_stream_is_told(
    gateway: RunningGateway, upstream: Upstream, end: bytes
) -> None:
    upstream.kind = "text/event-stream"
    upstream.body = b'{"error": {"message": "no credits", "code": 402}}' + end
    with pytest.raises(openai.APIError) as failed:
        ask(gateway, stream=True)
    assert failed.value.message == "no credits"


def test_headers_that_somebody_on_the_way_may_refuse_are_left_out(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.headers = {"X-Name": "caf\xe9", "X-Control": "a\x01b", "X-Policy": "a=1;\r\n b=2", "X-Empty": ""}
    upstream.body = json.dumps(WHOLE).encode()
    answer = gateway.client().chat.completions.with_raw_response.create(model="smart", messages=QUESTION)
    kept = {name: value for name, value in answer.headers.items() if name in map(str.lower, upstream.headers)}
    assert kept == {"x-policy": "a=1; b=2", "x-empty": ""}


def test_whether_to_try_again_is_handed_on(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.status, upstream.headers = 429, {"x-should-retry": "false"}
    upstream.body = b'{"error": {"message": "never again"}}'
    with pytest.raises(openai.RateLimitError) as refused:
        ask(gateway, stream=False)
    assert refused.value.response.headers["x-should-retry"] == "false"


def test_a_completions_document_becomes_a_stream_too() -> None:
    choice = {"index": 0, "text": "Hi", "finish_reason": "length"}
    document = {"id": "c", "created": 1, "model": "m", "choices": [choice]}
    events = [json.loads(event[6:]) for event in dialect.events(document, {}).decode().split("\n\n")[:-2]]
    assert [(event["object"], event["choices"][0]["text"]) for event in events] == [
        ("text_completion", "Hi"),
        ("text_completion", ""),
    ]
    assert [event["choices"][0]["finish_reason"] for event in events] == [None, "length"]


@pytest.mark.parametrize("name", ["smart", 'a "quoted" name', "ü"])
def test_only_fields_are_renamed(name: str) -> None:
    content = json.dumps({"model": 'a"b', "content": 'the "model": "x"', "n": [{"model": "y"}]}).encode()
    rename = dialect.renamer(name)
    for _ in range(2):
        document = json.loads(rename(content))
        assert document == {"model": name, "content": 'the "model": "x"', "n": [{"model": "y"}]}
    assert rename(b"data: [DONE]") == b"data: [DONE]"
    assert json.loads(rename(b'{"model":"another"}')) == {"model": name}


def test_only_the_end_mark_ends_a_stream() -> None:
    assert dialect.ends(b"data: {}\n\ndata: [DONE]\n\n")
    assert dialect.ends(b"data:[DONE]\r\n\r\n")
    assert not dialect.ends(b'data: {"c": "[DONE]"}\n\n')
    assert dialect.finish(b'data: {"c": "say [DONE]"}\n\n') is None


@pytest.mark.parametrize(
    ("events", "before", "failure"),
    [
        (b'data: {"a": 1}\n\n', b'data: {"a": 1}\n\n', None),
        (b'data: {"error": null}\n\n', b'data: {"error": null}\n\n', None),
        (b'data: {"c": "say \\"error\\": {"}\n\n', b'data: {"c": "say \\"error\\": {"}\n\n', None),
        (b'data: {"n": {"error": {}}}\n\n', b'data: {"n": {"error": {}}}\n\n', None),
        (b'data: {"a": 1}\n\ndata: {"error": {"m": 1}}\n\n', b'data: {"a": 1}\n\n', b'{"error": {"m": 1}}'),
        (
            b'data: {"a": 1}\r\n\r\ndata: {"error": {"m": 1}}\r\n\r\n',
            b'data: {"a": 1}\r\n\r\n',
            b'{"error": {"m": 1}}',
        ),
        (b'event: error\ndata: {"error": "x"}\n\ndata: [DONE]\n\n', b"", b'{"error": "x"}'),
    ],
)
def test_an_error_event_is_found_behind_others(events: bytes, before: bytes, failure: bytes | None) -> None:
    assert dialect.split_error(events) == (before, failure)


@pytest.mark.parametrize("document", [{"choices": []}, {"data": []}, {"choices": [], "error": None}, {}])
def test_what_may_be_an_answer_is_no_error(document: dict[str, Any]) -> None:
    assert find_error(document) is None
