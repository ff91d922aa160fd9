"""What became of a request is written down before the last byte goes out: afterwards, a function may be frozen."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pennyworth.gateway import app, outcome
from pennyworth.gateway.app import Gateway
from pennyworth.gateway.errors import ApiError, ClientDisconnected
from pennyworth.gateway.settings import Settings, constant
from pennyworth.gateway.wsgi import Response

TEXT = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n'
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
DONE = b"data: [DONE]\n\n"
COUNTED = {"prompt_tokens": 3, "completion_tokens": 2}

Observed = list[bytes | dict[str, Any]]
"""Log lines and chunks, in the order in which they left."""


@pytest.fixture
def deliver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Observed]:
    """Has a gateway deliver a body, which an upstream is said to have given."""
    entry = {"model_name": "m", "litellm_params": {"model": "openai/m", "api_key": "sk-123456"}}
    settings = Settings.of({"model_list": [entry]}, {"LITELLM_API_KEYS": "key-of-a-test"})

    def run(body: bytes | Iterator[bytes], *, reads: int | None = None) -> Observed:
        observed: Observed = []
        monkeypatch.setattr(outcome, "log", lambda level, message, **fields: observed.append(fields))

        def forward(request: Any, endpoint: Any, settings: Any, filled: outcome.Outcome) -> Response:
            filled.lane = "direct"
            return Response(200, [], body)

        monkeypatch.setattr(app, "forward", forward)
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/v1/chat/completions",
            "HTTP_AUTHORIZATION": "Bearer key-of-a-test",
        }
        start: Any = lambda status, headers: None  # noqa: E731
        answer = Gateway(constant(settings))(environ, start)
        for number, chunk in enumerate(answer):
            observed.append(chunk)
            if number + 1 == reads:
                break
        if close := getattr(answer, "close", None):
            close()
        return observed

    return run


@pytest.mark.parametrize(
    "chunks", [[TEXT, USAGE, DONE], [TEXT, USAGE + DONE], [TEXT + USAGE + DONE]], ids=len
)
def test_a_streams_usage_is_logged_before_its_last_chunk(
    deliver: Callable[..., Observed], chunks: list[bytes]
) -> None:
    *before, line, last = deliver(iter(chunks))
    assert [*before, last] == chunks
    assert isinstance(line, dict)
    assert (line["usage"], line["bytes"]) == (COUNTED, len(b"".join(chunks)))
    assert "error" not in line


def test_a_whole_answers_usage_is_logged_before_it(deliver: Callable[..., Observed]) -> None:
    body = b'{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}'
    line, sent = deliver(body)
    assert isinstance(line, dict)
    assert (line["usage"], sent) == (COUNTED, body)


def test_an_error_within_a_stream_is_logged_before_its_event(deliver: Callable[..., Observed]) -> None:
    def broken() -> Iterator[bytes]:
        yield TEXT
        yield USAGE
        raise ApiError(502, "It broke.", code="upstream_broken")

    *before, line, last = deliver(broken())
    assert before == [TEXT, USAGE]
    assert isinstance(line, dict) and isinstance(last, bytes)
    assert (line["error"], line["usage"]) == ("upstream_broken", COUNTED)
    assert b"It broke." in last


@pytest.mark.parametrize("reads", [1, None])
def test_whoever_leaves_in_the_middle_is_logged_once(
    deliver: Callable[..., Observed], reads: int | None
) -> None:
    def left() -> Iterator[bytes]:
        yield TEXT
        raise ClientDisconnected

    first, line = deliver(left(), reads=reads)
    assert first == TEXT
    assert isinstance(line, dict)
    assert line["error"] == "client_disconnected"
