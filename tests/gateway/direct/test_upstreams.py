"""The lane against upstreams that refuse what the real ones refuse, for every provider of the table."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pennyworth.gateway.bodies import Body
from pennyworth.gateway.call import Attempt, Call, Deadline
from pennyworth.gateway.endpoints import ENDPOINTS
from pennyworth.gateway.errors import UpstreamFailure
from pennyworth.gateway.lanes import direct
from pennyworth.gateway.providers import PROVIDERS
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.upstreams import resolve_upstream
from pennyworth.gateway.wsgi import Request

CHAT = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "chat_completions")

REQUEST: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "d", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": "hi", "name": "n"},
        {"role": "assistant", "content": "c", "reasoning_content": "r"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ],
    "max_completion_tokens": 7,
    "seed": 1,
    "store": True,
    "user": "u",
    "prompt_cache_key": "k",
    "safety_identifier": "s",
    "tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}}],
    "tool_choice": "required",
}  # fmt: skip
"""What a client of OpenAI's sends that knows nothing of the provider."""

Refuses = Callable[[dict[str, Any]], str | None]


def fields(*names: str) -> Refuses:
    """An upstream that refuses these."""
    return lambda body: next(
        (f"property 'body.{name}' is unsupported" for name in names if name in body), None
    )


def messages(*names: str) -> Refuses:
    """An upstream that refuses these in messages and their parts."""

    def refuse(body: dict[str, Any]) -> str | None:
        for message in body["messages"]:
            parts = message["content"] if isinstance(message["content"], list) else []
            for item in (message, *parts):
                if found := [name for name in names if name in item]:
                    return f"messages: extra input {found[0]}"
        return None

    return refuse


def texts(body: dict[str, Any]) -> str | None:
    """An upstream that takes no lists of parts."""
    lists = any(isinstance(message["content"], list) for message in body["messages"])
    return "content must be a string" if lists else None


def strict(body: dict[str, Any]) -> str | None:
    """An upstream that does not know `strict`."""
    return "unknown field strict" if any("strict" in tool["function"] for tool in body["tools"]) else None


def roles(body: dict[str, Any]) -> str | None:
    """An upstream that does not know OpenAI's newer role."""
    return "unknown role developer" if any(m["role"] == "developer" for m in body["messages"]) else None


def required(body: dict[str, Any]) -> str | None:
    """An upstream that has another word for it."""
    return "tool_choice must be auto, none or any" if body.get("tool_choice") == "required" else None


UPSTREAMS: dict[str, list[Refuses]] = {
    "mistral": [
        fields("max_completion_tokens", "seed", "store", "user", "safety_identifier", "stream_options"),
        messages("name", "reasoning_content", "cache_control"), texts, roles, required,
    ],
    "groq": [
        fields("prompt_cache_key", "safety_identifier"), messages("name", "reasoning_content", "cache_control"), roles,
    ],
    "cerebras": [fields("store", "safety_identifier"), messages("cache_control"), roles],
    "fireworks_ai": [fields("store", "safety_identifier"), messages("cache_control"), strict, roles, required],
    "deepseek": [fields("max_completion_tokens"), texts, roles],
    "xai": [strict, roles],
    "together_ai": [fields("max_completion_tokens"), roles],
    "perplexity": [fields("stream_options"), roles],
    "gemini": [fields("store", "user", "prompt_cache_key", "safety_identifier"), messages("cache_control")],
    "poe": [fields("store"), roles],
    "databricks": [messages("reasoning_content"), roles],
    "azure_ai": [messages("reasoning_content", "cache_control"), texts, roles],
    "moonshot": [texts, roles],
    "sambanova": [texts, roles],
    "snowflake": [fields("max_tokens")],
}  # fmt: skip
"""What is known of them; of the others, that they speak OpenAI's API."""


@dataclass
class Strict:
    """An upstream that refuses."""

    url: str = ""
    refusals: list[Refuses] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture(scope="module")
def running() -> Iterator[Strict]:
    """One that runs."""
    upstream = Strict()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            upstream.bodies.append(body)
            upstream.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            refusal = next((said for refuse in upstream.refusals if (said := refuse(body))), None)
            answer: dict[str, Any] = {
                "model": body["model"],
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}],
            }
            content = json.dumps({"error": {"message": refusal}} if refusal else answer).encode()
            self.send_response(422 if refusal else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        upstream.url = f"http://127.0.0.1:{server.server_port}/v1"
        yield upstream
        server.shutdown()


@pytest.fixture
def upstream(running: Strict) -> Strict:
    """The same, as new."""
    running.refusals, running.bodies, running.requests = [], [], []
    return running


def send(provider: str, base: str, request: dict[str, Any], **params: Any) -> None:
    given = {"model": f"{provider}/m", "api_base": base, "api_key": "sk-key", **params}
    if PROVIDERS[provider].service:
        given["aws_region_name"] = "us-east-1"
    entry = {"model_name": "m", "litellm_params": given, "model_info": {"lane": "direct"}}
    made = Settings.of({"model_list": [entry]}, {})
    (deployment,) = made.config.deployments
    raw = json.dumps(request).encode()
    call = Call(Request({}, "POST", "/"), CHAT, Body(raw, "application/json", request), "m", False)
    direct.send(call, Attempt(deployment, made.upstream(deployment), Deadline(time.monotonic() + 20)))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_takes_what_a_client_of_openai_s_sends(provider: str, upstream: Strict) -> None:
    upstream.refusals = UPSTREAMS.get(provider, [])
    send(provider, upstream.url, REQUEST)
    (body,) = upstream.bodies
    assert body["messages"][-1]["role"] == "user" and body["tools"][0]["function"]["name"] == "f"
    limits = {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body}
    assert list(limits.values()) == [7]


@pytest.mark.parametrize("provider", [name for name, refusals in UPSTREAMS.items() if refusals])
def test_unedited_it_would_be_refused(provider: str, upstream: Strict) -> None:
    upstream.refusals = UPSTREAMS[provider]
    request = {**REQUEST, "stream_options": {"include_usage": True}, "max_tokens": 7}
    with pytest.raises(UpstreamFailure):
        send("openai", upstream.url, request)


def test_a_refused_field_is_dropped_once_where_that_is_allowed(upstream: Strict) -> None:
    upstream.refusals = [fields("top_k")]
    request = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "top_k": 3}
    with pytest.raises(UpstreamFailure, match="top_k"):
        send("openai", upstream.url, request)
    assert len(upstream.bodies) == 1
    send("openai", upstream.url, request, drop_params=True)
    assert ["top_k" in body for body in upstream.bodies] == [True, True, False]
    upstream.refusals = [fields("top_k", "messages")]
    with pytest.raises(UpstreamFailure, match="messages"):
        send("openai", upstream.url, request, drop_params=True)
    assert len(upstream.bodies) == 5


def test_a_metering_chunk_is_asked_of_streams_alone(upstream: Strict) -> None:
    send("openai", upstream.url, REQUEST, stream_options={"include_usage": True})
    assert "stream_options" not in upstream.bodies[0]


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"api_version": "2024-10-21"}, "/openai/deployments/m/chat/completions?api-version=2024-10-21"),
        ({}, "/openai/deployments/m/chat/completions?api-version=2025-02-01-preview"),
        ({"api_version": "v1"}, "/openai/v1/chat/completions"),
    ],
)
def test_azures_dated_versions(upstream: Strict, params: dict[str, str], path: str) -> None:
    send("azure", upstream.url.removesuffix("/v1"), REQUEST, **params)
    sent, headers = upstream.requests[0]
    assert (sent, headers["api-key"]) == (path, "sk-key")
    assert "authorization" not in headers


FOUNDRY = "https://r.services.ai.azure.com"


@pytest.mark.parametrize(
    ("base", "version", "url", "key_header"),
    [
        (FOUNDRY, "", f"{FOUNDRY}/models/chat/completions?api-version=2024-05-01-preview", "api-key"),
        (f"{FOUNDRY}/models", "2025-01-01", f"{FOUNDRY}/models/chat/completions?api-version=2025-01-01", "api-key"),
        (f"{FOUNDRY}/openai/v1/", "", f"{FOUNDRY}/openai/v1/chat/completions", "api-key"),
        (f"{FOUNDRY}/models", "v1", f"{FOUNDRY}/openai/v1/chat/completions", "api-key"),
        ("https://r.models.example", "", "https://r.models.example/chat/completions", "Authorization"),
    ],
)  # fmt: skip
def test_foundrys_models(base: str, version: str, url: str, key_header: str) -> None:
    params = {"model": "azure_ai/m", "api_base": base, "api_key": "sk-key", "api_version": version}
    (deployment,) = Settings.of(
        {"model_list": [{"model_name": "m", "litellm_params": params}]}, {}
    ).config.deployments
    made = resolve_upstream(deployment, {})
    assert made.locate("/chat/completions", "m") == url
    assert made.headers[key_header].removeprefix("Bearer ") == "sk-key"
    # what Foundry does not know, it hands on to the model
    assert ("extra-parameters" in made.headers) is ("/models/" in url)
