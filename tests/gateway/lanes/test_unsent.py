"""What fails before anything is sent is known to be unsent, on both lanes, and so tried on another deployment."""

import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest
from tests.gateway.conftest import UPSTREAM_KEY

from pennyworth.gateway import forward as forwarding
from pennyworth.gateway.bodies import Body
from pennyworth.gateway.call import Attempt, Call, Deadline
from pennyworth.gateway.endpoints import ENDPOINTS
from pennyworth.gateway.errors import UpstreamFailure
from pennyworth.gateway.lanes import direct, litellm, transport
from pennyworth.gateway.outcome import Outcome
from pennyworth.gateway.router import Router
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.wsgi import Request, Response
from pennyworth.local.llm.scripted import ScriptedUpstream

CHAT = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "chat_completions")
FIELDS = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
CALL = Call(Request({}, "POST", "/"), CHAT, Body(b'{"model":"m","messages":[]}', "", FIELDS), "m", False)


class Sdk:
    """LiteLLM as far as it concerns the network: it posts by httpx, and wraps what that raises."""

    drop_params = False

    def completion(self, api_base: str, **_: Any) -> None:
        with httpx.Client() as client:
            try:
                client.post(f"{api_base}/v1/messages", json={})
            except httpx.TransportError as error:
                raise RuntimeError("litellm.APIConnectionError") from error


@pytest.fixture(autouse=True)
def sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("__init__", "handle_request", "__enter__", "__exit__", "close"):
        monkeypatch.setattr(httpx.HTTPTransport, name, getattr(httpx.HTTPTransport, name))  # put back later
    transport.install()
    monkeypatch.setattr(litellm._sdk, "get", lambda call, attempt: Sdk())


@pytest.fixture
def full() -> Iterator[str]:
    """An address at which no further connection is made and none is refused."""
    if sys.platform != "linux":
        pytest.skip("other systems refuse at once")
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address at which requests are taken and not answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closing() -> Iterator[str]:
    """An address at which a request is read and the connection then closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def settings(*bases: str, model: str = "openai/m", timeouts: tuple[float, ...] = (600, 600)) -> Settings:
    entries = [
        {
            "model_name": "m",
            "litellm_params": {
                "model": model,
                "api_base": base,
                "api_key": UPSTREAM_KEY,
                "order": order,
                "timeout": timeout,
            },
        }
        for order, (base, timeout) in enumerate(zip(bases, timeouts, strict=False))
    ]
    return Settings.of({"model_list": entries}, {})


def fail(lane: Any, base: str, *, seconds: float = 30, connect_seconds: float = 0.01) -> UpstreamFailure:
    """The failure of an attempt at an address."""
    model = "openai/m" if lane is direct else "anthropic/m"
    (attempt,) = Router(settings(base, model=model)).attempts(CALL)
    tried = Attempt(
        attempt.deployment,
        attempt.upstream,
        Deadline(Request({}, "POST", "/").began + seconds),
        connect_seconds=connect_seconds,
    )
    with pytest.raises(UpstreamFailure) as failed:
        lane.send(CALL, tried)
    return failed.value


LANES = pytest.mark.parametrize("lane", [direct, litellm], ids=["direct", "litellm"])


@LANES
def test_a_connection_that_is_refused(lane: Any) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        failure = fail(lane, f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert (failure.code, failure.sent) == ("upstream_unreachable", False)


@LANES
def test_a_connection_that_is_not_made_in_time(lane: Any, full: str) -> None:
    failure = fail(lane, full)
    assert (failure.code, failure.sent) == ("upstream_unreachable", False)


@LANES
def test_a_deadline_while_the_connection_is_made(lane: Any, full: str) -> None:
    failure = fail(lane, full, seconds=-1000, connect_seconds=30)
    assert (failure.code, failure.sent) == ("upstream_timeout", False)


@LANES
def test_a_deadline_after_the_request_went_out(lane: Any, silent: str) -> None:
    failure = fail(lane, silent, seconds=-1000, connect_seconds=30)
    assert (failure.code, failure.sent) == ("upstream_timeout", True)


@LANES
def test_a_connection_that_ends_after_the_request_went_out(lane: Any, closing: str) -> None:
    failure = fail(lane, closing, connect_seconds=30)
    assert (failure.code, failure.sent) == ("upstream_unreachable", True)


def test_another_deployment_has_half_of_the_time() -> None:
    first, last = Router(settings("http://a.example", "http://b.example", timeouts=(4, 4))).attempts(
        Call(Request({}, "POST", "/"), CHAT, Body(), "m", False)
    )
    assert 1.5 < first.connect_seconds <= 2
    assert last.connect_seconds == Attempt.__dataclass_fields__["connect_seconds"].default


def forward(
    made: Settings, monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str] | None = None
) -> tuple[Response, Outcome]:
    request = Request(environ or {}, "POST", "/")
    outcome = Outcome(request)
    monkeypatch.setattr(forwarding, "read_body", lambda kind, request: CALL.body)
    return forwarding.forward(request, CHAT, made, outcome), outcome


def test_another_deployment_answers_where_no_connection_is_made(
    full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedUpstream(key=UPSTREAM_KEY) as upstream:
        response, outcome = forward(settings(full, upstream.base_url, timeouts=(0.4, 600)), monkeypatch)
    assert (response.status, outcome.attempts) == (200, 2)


def test_no_other_is_tried_past_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    over = {"HTTP_X_AMZN_LAMBDA_CONTEXT": '{"deadline": 1}'}
    with socket.socket() as nobody, ScriptedUpstream(key=UPSTREAM_KEY) as upstream:
        nobody.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(UpstreamFailure) as failed:
            forward(settings(base, upstream.base_url), monkeypatch, over)
    assert failed.value.code == "upstream_unreachable"
    assert not upstream.requests
