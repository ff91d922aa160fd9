"""Embeddings and completions, on both lanes, as OpenAI's SDK asks for them; and how paths are matched."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from tests.gateway.conftest import KEY, UPSTREAM_KEY, RunningGateway, Start
from tests.gateway.test_direct import plain

from pennyworth.gateway.endpoints import ENDPOINTS, match, methods_at, needs_key
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.wsgi import Request
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

VECTOR = list(Answer().vector)
TEXT = Answer().text


PRESETS = {
    "direct": {"user": "operator", "temperature": 0.5, "dimensions": 3},
    # LiteLLM refuses dimensions for models that it does not know
    "litellm": {"user": "operator", "temperature": 0.5},
}


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(key=UPSTREAM_KEY) as upstream:
        yield upstream


@pytest.fixture
def script(scripted: ScriptedUpstream) -> ScriptedUpstream:
    """The upstream, of which nobody has asked anything."""
    scripted.requests.clear()
    return scripted


@pytest.fixture(scope="module")
def gateway(scripted: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """One gateway with a model for each lane, and one with presets."""
    given = {"model": "openai/real-name", "api_base": scripted.base_url, "api_key": UPSTREAM_KEY}
    entries = [
        {"model_name": f"{lane}{name}", "litellm_params": {**given, **presets}, "model_info": {"lane": lane}}
        for lane in ("direct", "litellm")
        for name, presets in (("", {}), ("-preset", PRESETS[lane]))
    ]
    folder = tmp_path_factory.mktemp("gateway")
    running = RunningGateway({"model_list": entries}, {"LITELLM_API_KEYS": KEY}, None, folder)
    try:
        running.logged(lambda line: line.get("message") == "litellm loaded", seconds=60)
        yield running
    finally:
        running.stop()


@pytest.fixture(params=["direct", "litellm"])
def lane(request: pytest.FixtureRequest) -> str:
    """Each lane's name, which is also its model's."""
    return str(request.param)


@pytest.fixture
def client(gateway: RunningGateway) -> openai.OpenAI:
    """The official SDK."""
    return gateway.client()


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_embeddings(
    client: openai.OpenAI, lane: str, script: ScriptedUpstream, options: dict[str, Any]
) -> None:
    made = client.embeddings.create(model=lane, input=["one", "two"], **options)
    if options.get("encoding_format") == "base64":
        assert all(isinstance(item.embedding, str) for item in made.data)
    else:
        assert [item.embedding for item in made.data] == [VECTOR, VECTOR]
    assert [item.index for item in made.data] == [0, 1]
    assert made.usage.prompt_tokens == 2
    (received,) = script.requests
    assert received.path == "/v1/embeddings"
    assert (received.payload["model"], received.payload["input"]) == ("real-name", ["one", "two"])


def test_a_completion(client: openai.OpenAI, lane: str, script: ScriptedUpstream) -> None:
    made = client.completions.create(model=lane, prompt="The capital of France", max_tokens=9)
    assert (made.object, made.choices[0].text, made.choices[0].finish_reason) == (
        "text_completion",
        TEXT,
        "stop",
    )
    assert made.usage and made.usage.completion_tokens == 6
    assert script.requests[0].payload["max_tokens"] == 9


def test_a_streamed_completion(client: openai.OpenAI, lane: str, script: ScriptedUpstream) -> None:
    chunks = list(client.completions.create(model=lane, prompt="The capital", stream=True))
    assert "".join(chunk.choices[0].text or "" for chunk in chunks if chunk.choices) == TEXT
    assert script.requests[0].payload["stream"] is True


@pytest.mark.parametrize("path", ["embeddings", "completions"])
def test_presets_hold_where_the_client_says_nothing(
    gateway: RunningGateway, lane: str, script: ScriptedUpstream, path: str
) -> None:
    field = "input" if path == "embeddings" else "prompt"
    body = json.dumps({"model": f"{lane}-preset", field: "x"}).encode()
    assert plain(gateway, "POST", f"/v1/{path}", body)[0] == 200
    sent = script.requests[0].payload
    assert sent["user"] == "operator"
    if lane == "direct":
        assert ("temperature" in sent, "dimensions" in sent) == (path == "completions", path == "embeddings")


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("chat/completions", "messages", "x"),
        ("completions", "prompt", None),
        ("completions", "prompt", {}),
        ("embeddings", "input", 7),
        ("embeddings", "input", []),
    ],
)
def test_the_litellm_lane_says_which_field_lacks(
    gateway: RunningGateway, script: ScriptedUpstream, path: str, field: str, value: Any
) -> None:
    body = json.dumps({"model": "litellm", field: value}).encode()
    status, _, answer = plain(gateway, "POST", f"/v1/{path}", body)
    assert (status, json.loads(answer)["error"]["param"]) == (400, field)
    assert not script.requests


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["chat/completions", "completions", "embeddings"])
def test_the_upstreams_usage_is_logged(gateway: RunningGateway, lane: str, path: str, stream: bool) -> None:
    if stream and path == "embeddings":
        pytest.skip("embeddings are not streamed")
    question = {
        "chat/completions": {"messages": [{"role": "user", "content": "x"}]},
        "completions": {"prompt": "x"},
        "embeddings": {"input": "x"},
    }[path]
    streaming = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    body = json.dumps({"model": lane, **question, **streaming}).encode()
    status, headers, _ = plain(gateway, "POST", f"/v1/{path}", body)
    assert status == 200
    line = gateway.logged(lambda line: line.get("request") == headers["x-request-id"])
    assert line["usage"]["total_tokens"] > 0
    assert line["usage"]["total_tokens"] == line["usage"]["prompt_tokens"] + line["usage"].get(
        "completion_tokens", 0
    )


def test_an_embedding_of_a_provider_that_packs_none(start_gateway: Start) -> None:
    with ScriptedGemini() as gemini:
        params = {"model": "gemini/text-embedding-004", "api_base": gemini.url, "api_key": "AIza-0123456789"}
        gateway = start_gateway({"model_list": [{"model_name": "e", "litellm_params": params}]})
        made = gateway.client().embeddings.create(model="e", input="one")
    assert made.data[0].embedding == VECTOR


class ScriptedGemini:
    """https://ai.google.dev/api/embeddings"""

    def __enter__(self) -> "ScriptedGemini":
        import threading
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                found = [{"values": VECTOR} for _ in asked.get("requests", [0])]
                answer = {"embeddings": found} if "requests" in asked else {"embedding": found[0]}
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_paths_are_matched_with_their_parameters() -> None:
    assert match(Request({}, "GET", "/v1/models/openai/gpt%2F5"))[1] == {"model": "openai/gpt%2F5"}
    assert match(Request({}, "HEAD", "/health/"))[0].name == "health"
    assert match(Request({}, "POST", "/embeddings"))[0].name == "embeddings"
    assert {endpoint.name for endpoint in ENDPOINTS} == {
        match(Request({}, endpoint.method, endpoint.path.replace("{model...}", "x")))[0].name
        for endpoint in ENDPOINTS
    }


@pytest.mark.parametrize("path", ["/models/", "/modelsx", "/chat", "/v1/v1/models", "/v1x", "/health/other"])
def test_what_is_nowhere(path: str) -> None:
    if path == "/models/":
        assert match(Request({}, "GET", path))[0].name == "models"
        return
    with pytest.raises(ApiError) as refused:
        match(Request({}, "GET", path))
    assert (refused.value.status, refused.value.code) == (404, "unknown_url")


@pytest.mark.parametrize(
    ("context", "shown"),
    [
        ('{"path": "/v1/nowhere", "stage": "v1"}', "/v1/nowhere"),
        ('{"path": "/prod/nowhere"}', "/prod/nowhere"),
        ('{"path": "/team/llm/v1/nowhere"}', "/team/llm/v1/nowhere"),
        ("null", "/nowhere"),
        ("", "/nowhere"),
        ("{", "/nowhere"),
    ],
)
def test_errors_name_the_path_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, context: str, shown: str
) -> None:
    environ = {"HTTP_X_AMZN_REQUEST_CONTEXT": context}

    def message(method: str, path: str) -> str:
        with pytest.raises(ApiError) as refused:
            match(Request(environ, method, path))
        return refused.value.message

    assert message("GET", "/nowhere").startswith(
        "There is nothing at /nowhere. "
    )  # anybody can send a header
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    assert message("GET", "/nowhere").startswith(f"There is nothing at {shown}. ")
    if shown != "/nowhere":
        assert message("DELETE", "/models") == f"{shown} takes GET, not DELETE."


def test_which_methods_a_path_takes() -> None:
    assert methods_at("/v1/models") == ["GET"]
    assert methods_at("/v1/embeddings") == ["POST"]
    assert methods_at("/nowhere") == ["GET", "POST"]


def test_only_health_and_version_answer_without_a_key() -> None:
    open_ones = {endpoint.path for endpoint in ENDPOINTS if not needs_key(endpoint.path)}
    health = {"/health", "/health/liveness", "/health/liveliness", "/health/readiness"}
    assert open_ones == {"/", "/version", *health}
    assert needs_key("/nowhere")
