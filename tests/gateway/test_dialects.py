"""The Responses and Messages APIs on the direct lane, before an upstream that speaks them itself."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import openai
import pytest
from tests.gateway.conftest import KEY, UPSTREAM_KEY, RunningGateway

from pennyworth.gateway import lanes
from pennyworth.gateway.bodies import Body
from pennyworth.gateway.call import Call
from pennyworth.gateway.dialects import DialectName, dialect
from pennyworth.gateway.endpoints import ENDPOINTS
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.router import Router
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.wsgi import Request
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

USAGE = {
    "input_tokens": 5,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 3,
    "total_tokens": 8,
}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "error": None,
    "model": "real-name",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Paris.", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {**USAGE, "output_tokens_details": {"reasoning_tokens": 0}},
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "real-name",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "Paris."},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Paris"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "output_tokens": 3},
}


def named(*documents: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (d["type"].encode(), json.dumps(d).encode()) for d in documents
    )


@dataclass
class Native:
    """An upstream whose next answer is told beforehand."""

    url: str = ""
    content: bytes = b""
    kind: str = "application/json"
    status: int = 200
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def then(self, content: bytes | dict[str, Any], status: int = 200) -> None:
        """Answer so from now on: a document, or a stream's bytes."""
        self.kind = "text/event-stream" if isinstance(content, bytes) else "application/json"
        self.content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.status = status
        self.requests.clear()


@pytest.fixture(scope="module")
def running() -> Iterator[Native]:
    native = Native()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            native.requests.append((self.path, headers, body))
            self.send_response(native.status)
            self.send_header("Content-Type", native.kind)
            self.send_header("Content-Length", str(len(native.content)))
            self.end_headers()
            self.wfile.write(native.content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        native.url = f"http://127.0.0.1:{server.server_port}"
        yield native
        server.shutdown()


@pytest.fixture
def native(running: Native) -> Native:
    running.then({})
    return running


@pytest.fixture(scope="module")
def gateway(running: Native, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    models = {"gpt": "openai/real-name", "claude": "anthropic/real-name", "chat": "mistral/real-name"}
    entries = [
        {
            "model_name": name,
            "litellm_params": {"model": model, "api_base": f"{running.url}/v1", "api_key": UPSTREAM_KEY},
        }
        for name, model in models.items()
    ]
    folder = tmp_path_factory.mktemp("gateway")
    started = RunningGateway({"model_list": entries}, {"LITELLM_API_KEYS": KEY}, None, folder)
    try:
        yield started
    finally:
        started.stop()


def ask(gateway: RunningGateway, path: str, key: str = KEY, **fields: Any) -> httpx.Response:
    headers = {"x-api-key": key, "anthropic-beta": "context-management-2025-06-27"}
    body = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **fields}
    return httpx.post(f"{gateway.base_url}{path}", headers=headers, json=body, timeout=20)


def usage(gateway: RunningGateway, path: str) -> dict[str, int]:
    line = gateway.logged(lambda line: line.get("path") == path and bool(line.get("usage")))
    gateway.lines.remove(line)
    return dict(line["usage"])


def test_responses_pass_as_they_are(gateway: RunningGateway, native: Native) -> None:
    native.then(RESPONSE)
    made = gateway.client().responses.create(
        model="gpt",
        input="hi",
        store=False,
        metadata={"a": "b"},
        max_output_tokens=9,
        reasoning={"effort": "low"},
    )
    assert (made.output_text, made.model) == ("Paris.", "gpt")
    path, headers, body = native.requests[0]
    assert (path, headers["authorization"]) == ("/v1/responses", f"Bearer {UPSTREAM_KEY}")
    assert body == {
        "model": "real-name",
        "input": "hi",
        "store": False,
        "metadata": {"a": "b"},
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
    }
    assert usage(gateway, "/v1/responses")["input_tokens_details.cached_tokens"] == 2


def stream_of_response(*, whole: bool = True) -> bytes:
    begun = {**RESPONSE, "status": "in_progress", "output": []}
    delta = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = [
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {**delta, "sequence_number": 1, "delta": "Paris.", "logprobs": []},
        {"type": "response.completed", "sequence_number": 2, "response": RESPONSE},
    ]
    return named(*events[: 3 if whole else 2])


def test_a_stream_of_responses_is_the_upstreams(gateway: RunningGateway, native: Native) -> None:
    native.then(stream_of_response())
    events = list(gateway.client().responses.create(model="gpt", input="hi", stream=True))
    assert [event.type for event in events] == [
        "response.created",
        "response.output_text.delta",
        "response.completed",
    ]
    assert events[-1].type == "response.completed" and events[-1].response.model == "gpt"
    assert usage(gateway, "/v1/responses")["output_tokens"] == 3


def test_a_broken_stream_of_responses_says_so(gateway: RunningGateway, native: Native) -> None:
    native.then(stream_of_response(whole=False))
    seen = []
    with pytest.raises(openai.APIError):
        for event in gateway.client().responses.create(model="gpt", input="hi", stream=True):
            seen.append(event.type)
            assert event.type != "response.completed"
            if event.type == "response.failed":
                raise openai.APIError("failed", httpx.Request("POST", "http://x"), body=None)
    assert "response.output_text.delta" in seen


def test_messages_pass_as_they_are(gateway: RunningGateway, native: Native) -> None:
    native.then(MESSAGE)
    fields = {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "{}"},
        "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
    }
    answer = ask(gateway, "/messages?beta=true", **fields)
    assert answer.json() == {**MESSAGE, "model": "claude"}
    path, headers, body = native.requests[0]
    assert (path, headers["x-api-key"]) == ("/v1/messages", UPSTREAM_KEY)
    assert "authorization" not in headers
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["anthropic-beta"] == "context-management-2025-06-27"
    assert {name: body[name] for name in fields} == fields
    assert body["model"] == "real-name"
    native.then({"input_tokens": 7})
    assert ask(gateway, "/messages/count_tokens").json() == {"input_tokens": 7}
    assert native.requests[0][0] == "/v1/messages/count_tokens"


def test_a_stream_of_messages_is_the_upstreams(gateway: RunningGateway, native: Native) -> None:
    whole = dialect("anthropic").events(MESSAGE, {})
    native.then(whole)
    answer = ask(gateway, "/messages", stream=True)
    assert answer.content == whole.replace(b'"real-name"', b'"claude"')
    assert usage(gateway, "/v1/messages") == {"input_tokens": 5, "output_tokens": 3}
    # cut before its end
    native.then(whole[: whole.index(b"event: message_delta")])
    last = ask(gateway, "/messages", stream=True).text.strip().split("\n\n")[-1]
    assert last.startswith("event: error\n")
    assert json.loads(last.partition("data: ")[2])["error"]["type"] == "api_error"
    # an error half-way
    failed = {"type": "error", "error": {"type": "overloaded_error", "message": f"{UPSTREAM_KEY} is busy"}}
    native.then(whole[: whole.index(b"event: content_block_stop")] + named(failed))
    last = ask(gateway, "/messages", stream=True).text.strip().split("\n\n")[-1]
    assert "busy" in last and UPSTREAM_KEY not in last and "overloaded_error" in last


def test_errors_have_the_dialects_shape(gateway: RunningGateway, native: Native) -> None:
    wrong = ask(gateway, "/messages", key="sk-wrong-key-of-somebody")
    assert (wrong.status_code, wrong.json()["type"]) == (401, "error")
    assert wrong.json()["error"]["type"] == "authentication_error"
    native.then(
        {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: too many"}}, 400
    )
    refused = ask(gateway, "/messages")
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "max_tokens: too many")
    unable = ask(gateway, "/messages/count_tokens", model="chat")
    assert unable.status_code == 400
    assert "mistral" in unable.json()["error"]["message"]


def test_without_litellm_nothing_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "has_litellm", lambda: False)
    entry = {"model_name": "m", "litellm_params": {"model": "mistral/m", "api_key": "k"}}
    settings = Settings.of({"model_list": [entry]}, {})
    endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "messages")
    call = Call(Request({}, "POST", "/v1/messages"), endpoint, Body(), "m", False)
    with pytest.raises(ApiError, match="LITELLM_LANE=yes") as unable:
        next(Router(settings).attempts(call))
    assert unable.value.status == 400


def test_a_websocket_is_refused_at_once(gateway: RunningGateway) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert httpx.get(f"{gateway.base_url}/responses", headers=upgrade).status_code == 426
    assert httpx.get(f"{gateway.base_url}/responses", headers={"x-api-key": KEY}).status_code == 405


@pytest.mark.parametrize(("name", "document"), [("responses", RESPONSE), ("anthropic", MESSAGE)])
def test_a_whole_answer_becomes_a_stream(name: DialectName, document: dict[str, Any]) -> None:
    spoken = dialect(name)
    made = spoken.events(document, {})
    events = [json.loads(event.partition(b"data: ")[2]) for event in made.strip().split(b"\n\n")]
    assert spoken.ends(made) and spoken.finish(made) == b""
    assert spoken.split_error(made) == (made, None)
    if name == "responses":
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events[-1]["response"] == document
    else:
        assert events[0]["type"] == "message_start" and events[-1]["type"] == "message_stop"
        texts = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        assert {"type": "text_delta", "text": "Paris."} in texts
        assert {"type": "input_json_delta", "partial_json": '{"city": "Paris"}'} in texts
        assert {"type": "signature_delta", "signature": "c2ln"} in texts


@pytest.fixture(scope="module")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningGateway, ScriptedUpstream]]:
    """A gateway whose only provider speaks chat completions alone."""
    with ScriptedUpstream(key=UPSTREAM_KEY) as upstream:
        params = {"model": "mistral/real-name", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
        entries = [
            {"model_name": "chat", "litellm_params": params},
            {"model_name": "mistral/*", "litellm_params": {**params, "model": "mistral/*"}},
            {"model_name": "own", "litellm_params": {"model": "openai_like/real-name"}},
        ]
        env = {
            "LITELLM_API_KEYS": KEY,
            "OPENAI_LIKE_API_BASE": upstream.base_url,
            "OPENAI_LIKE_API_KEY": UPSTREAM_KEY,
            "OPENAI_API_KEY": "sk-openais-own-key",
        }
        folder = tmp_path_factory.mktemp("gateway")
        started = RunningGateway({"model_list": entries}, env, None, folder)
        try:
            yield started, upstream
        finally:
            started.stop()


CODEX = {
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be brief"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    ],
    "tools": [
        {"type": "function", "name": "look", "strict": False, "parameters": {"type": "object", "properties": {}}},
        {"type": "namespace", "name": "agents", "description": "", "tools": []},
        {"type": "web_search", "external_web_access": True},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "store": False,
    "prompt_cache_key": "k",
}  # fmt: skip
"""As Codex asks."""


def test_responses_are_translated_for_others(bridged: tuple[RunningGateway, ScriptedUpstream]) -> None:
    gateway, upstream = bridged
    client = gateway.client()
    upstream.answer = Answer()
    made = client.responses.create(model="chat", input="hi", max_output_tokens=9)
    assert (made.output_text, made.model) == (Answer().text, "chat")
    assert upstream.requests[-1].path == "/v1/chat/completions"
    assert upstream.requests[-1].payload["max_tokens"] == 9
    upstream.answer = Answer(tool=("look", '{"city": "Paris"}'))
    events = list(
        client.responses.create(model="chat", stream=True, extra_body={"client_metadata": {}}, **CODEX)
    )
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed" and last.response.model == "chat"
    (called,) = last.response.output
    assert called.type == "function_call" and called.arguments == '{"city": "Paris"}'
    assert [tool["function"]["name"] for tool in upstream.requests[-1].payload["tools"]] == ["look"]


def test_messages_are_translated_for_others(bridged: tuple[RunningGateway, ScriptedUpstream]) -> None:
    gateway, upstream = bridged
    upstream.answer = Answer()
    system = [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]
    lost = {"context_management": {"edits": []}, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    answer = ask(gateway, "/messages", model="chat", system=system, **lost)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"] == [{"type": "text", "text": Answer().text}]
    assert (answer.json()["model"], answer.json()["stop_reason"]) == ("chat", "end_turn")
    upstream.answer = Answer(tool=("look", '{"city": "Paris"}'))
    tools = [{"name": "look", "input_schema": {"type": "object", "properties": {}}}]
    streamed = ask(gateway, "/messages", model="chat", stream=True, tools=tools)
    events = [json.loads(event.partition("data: ")[2]) for event in streamed.text.strip().split("\n\n")]
    assert (events[0]["message"]["model"], events[-1]["type"]) == ("chat", "message_stop")
    pieces = [
        e["delta"]["partial_json"] for e in events if e.get("delta", {}).get("type") == "input_json_delta"
    ]
    assert json.loads("".join(pieces)) == {"city": "Paris"}


def test_what_fails_on_a_bridge_has_the_dialects_shape(
    bridged: tuple[RunningGateway, ScriptedUpstream],
) -> None:
    gateway, upstream = bridged
    upstream.answer = Answer(status=429, message="slow down")
    assert ask(gateway, "/messages", model="chat").json()["error"] == {
        "type": "rate_limit_error",
        "message": "slow down",
    }
    upstream.answer = Answer(text="one two three", fault="cut", after=2)
    last = ask(gateway, "/messages", model="chat", stream=True).text.strip().split("\n\n")[-1]
    assert last.startswith("event: error\n")
    seen = [event.type for event in gateway.client().responses.create(model="chat", input="hi", stream=True)]
    assert seen[-1] == "response.failed" and "response.completed" not in seen
    assert ask(gateway, "/messages", model="chat", messages="").status_code == 400


def test_a_translated_request_goes_where_a_direct_one_would(
    bridged: tuple[RunningGateway, ScriptedUpstream],
) -> None:
    gateway, upstream = bridged
    upstream.answer = Answer()
    assert ask(gateway, "/messages", model="own").status_code == 200
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert ask(gateway, "/messages", model="mistral/any-name").status_code == 200
    for name in ("https://evil.example/v1", "../../evil", "x?y=z"):
        asked = len(upstream.requests)
        refused = ask(gateway, "/messages", model=f"mistral/{name}")
        assert refused.status_code == 400, refused.text
        assert len(upstream.requests) == asked


@pytest.mark.parametrize(
    ("model", "environ", "connection"),
    [
        ("ai21/m", {"AI21_API_KEY": "k"}, {"api_base": "https://api.ai21.com/studio/v1", "api_key": "k"}),
        ("lm_studio/m", {}, {"api_base": "http://localhost:1234/v1", "api_key": "none"}),
        ("gemini/m", {"GEMINI_API_KEY": "k"}, {}),
    ],
)
def test_litellm_gets_the_address_and_the_key_of_the_direct_lane(
    model: str, environ: dict[str, str], connection: dict[str, str]
) -> None:
    entry = {"model_name": "m", "litellm_params": {"model": model}}
    settings = Settings.of({"model_list": [entry]}, {"OPENAI_API_KEY": "sk-openais-own", **environ})
    translated = settings.config.deployments[0].bridge()
    assert translated and translated.lane == "litellm"
    assert settings.upstream(translated).connection == connection


def test_without_its_key_nothing_is_translated() -> None:
    entry = {"model_name": "m", "litellm_params": {"model": "ai21/m"}}
    settings = Settings.of({"model_list": [entry]}, {"OPENAI_API_KEY": "sk-openais-own"})
    translated = settings.config.deployments[0].bridge()
    assert translated and "AI21_API_KEY" in settings.upstream(translated).problem
