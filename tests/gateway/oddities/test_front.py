"""What a caller sends behind a request that is refused is never read as another request."""

import json
import re
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.gateway.conftest import KEY, RunningGateway

SMUGGLED = b"GET /version HTTP/1.1\r\nHost: gateway\r\n\r\n"
LARGE = 200 * 1024 * 1024
_SILENCE_SECONDS = 0.25
_PATIENCE_SECONDS = 8.0


def post(*lines: str, key: str = KEY, version: str = "1.1") -> bytes:
    """The head of a request, with the lines that tell its body's end."""
    head = [
        f"POST /v1/chat/completions HTTP/{version}",
        "Host: gateway",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        *lines,
        "",
        "",
    ]
    return "\r\n".join(head).encode("latin-1")


CHUNKED = "Transfer-Encoding: chunked"

REFUSED: dict[str, bytes] = {
    "a-length-over-the-limit": post(f"Content-Length: {LARGE}"),
    "a-length-over-the-limit-and-expect": post(f"Content-Length: {LARGE}", "Expect: 100-continue"),
    "a-length-of-forty-digits": post(f"Content-Length: {'9' * 40}"),
    "length-and-chunks": post(f"Content-Length: {5 + len(SMUGGLED)}", CHUNKED) + b"0\r\n\r\n",
    "chunks-and-length": post(CHUNKED, f"Content-Length: {5 + len(SMUGGLED)}") + b"0\r\n\r\n",
    "two-lengths": post("Content-Length: 0", f"Content-Length: {len(SMUGGLED)}"),
    "two-lengths-in-one-line": post(f"Content-Length: 0, {len(SMUGGLED)}"),
    "two-equal-lengths": post("Content-Length: 2", "Content-Length: 2") + b"{}",
    "a-length-of-letters": post("Content-Length: abc"),
    "a-negative-length": post("Content-Length: -1"),
    "a-length-with-a-plus": post("Content-Length: +0"),
    "a-length-with-an-underscore": post("Content-Length: 1_0"),
    "an-empty-length": post("Content-Length:"),
    "a-superscript-length": post("Content-Length: \xb2"),
    "a-space-before-the-length-s-colon": post("Content-Length : 0"),
    "an-encoding-that-nobody-knows": post("Transfer-Encoding: xchunked", "Content-Length: 2") + b"{}",
    "identity": post("Transfer-Encoding: identity", "Content-Length: 2") + b"{}",
    "gzip-and-chunked": post("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "chunked-and-identity": post("Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
    "chunked-twice": post("Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    "chunked-in-two-lines": post(CHUNKED, CHUNKED) + b"0\r\n\r\n",
    "chunked-in-quotes": post('Transfer-Encoding: "chunked"') + b"0\r\n\r\n",
    "chunked-and-a-vertical-tab": post("Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    "an-empty-encoding": post("Transfer-Encoding:", "Content-Length: 2") + b"{}",
    "a-space-before-the-encoding-s-colon": post("Transfer-Encoding : chunked") + b"0\r\n\r\n",
    "chunks-in-1.0": post("Connection: keep-alive", CHUNKED, version="1.0") + b"0\r\n\r\n",
    "chunks-and-length-in-1.0": post("Connection: keep-alive", CHUNKED, "Content-Length: 5", version="1.0")
    + b"0\r\n\r\n",
    "a-chunk-size-of-letters": post(CHUNKED) + b"zz\r\n{}\r\n0\r\n\r\n",
    "a-negative-chunk-size": post(CHUNKED) + b"-2\r\n{}\r\n0\r\n\r\n",
    "a-chunk-size-with-0x": post(CHUNKED) + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a-chunk-size-with-a-plus": post(CHUNKED) + b"+2\r\n{}\r\n0\r\n\r\n",
    "a-chunk-size-with-an-underscore": post(CHUNKED) + b"0_2\r\n{}\r\n0\r\n\r\n",
    "a-chunk-size-of-forty-digits": post(CHUNKED) + b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n",
    "a-chunk-longer-than-its-size": post(CHUNKED) + b"2\r\n{}  \r\n0\r\n\r\n",
    "a-chunk-without-its-line-break": post(CHUNKED) + b"2\r\n{}0\r\n\r\n",
    "a-line-feed-in-a-chunk-extension": post(CHUNKED) + b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "chunks-with-bare-line-feeds": post(CHUNKED) + b"2\n{}\n0\n\n",
    "a-head-with-bare-line-feeds": post("Content-Length: 2").replace(b"\r\n", b"\n") + b"{}",
    "one-bare-line-feed": post("X-A: 1\nContent-Length: 0"),
    "one-bare-carriage-return": post("X-A: 1\rContent-Length: 0"),
    "a-nul-in-a-header": post("X-A: a\0b", "Content-Length: 0"),
    "a-line-without-a-colon": post("rubbish", "Content-Length: 0"),
    "a-folded-first-header": b"POST /v1/chat/completions HTTP/1.1\r\n X-A: 1\r\n\r\n",
    "a-head-too-large": post(f"X-A: {'a' * 300_000}", "Content-Length: 0"),
    "a-method-in-small-letters": b"post /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "a-version-that-nobody-knows": b"POST /v1/chat/completions HTTP/9.9.9\r\nHost: gateway\r\n\r\n",
    "a-body-that-is-a-request": post(f"Content-Length: {len(SMUGGLED)}", key="wrong"),
    "chunks-that-are-a-request": post(CHUNKED, key="wrong") + b"%x\r\n" % len(SMUGGLED),
    "expect-and-a-wrong-key": post(f"Content-Length: {len(SMUGGLED)}", "Expect: 100-continue", key="wrong"),
    "an-underscore-for-the-length-s-hyphen": post(f"Content-Length: {len(SMUGGLED)}", "Content_Length: 0"),
    "close-before-what-follows": post("Connection: close", "Content-Length: 2") + b"{}",
}
"""Requests that are refused, each up to where the smuggled one stands."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that needs no upstream."""
    params = {"model": "openai/real-name", "api_base": "http://127.0.0.1:1/v1", "api_key": "sk-0123456789"}
    config = {"model_list": [{"model_name": "smart", "litellm_params": params}]}
    running = RunningGateway(config, {"LITELLM_API_KEYS": KEY}, None, tmp_path_factory.mktemp("front"))
    yield running
    running.stop()


def heard(
    gateway: RunningGateway, *parts: bytes, pause: float = 0.0, answers: int | None = None
) -> tuple[bytes, bool]:
    """All that comes back on one connection, and whether the gateway closed it.

    Args:
        gateway: where it leads.
        parts: what is sent.
        pause: seconds between them.
        answers: how many are waited for; by default whatever comes without a pause.
    """
    place = urlsplit(gateway.address)
    content, until = b"", time.monotonic() + _PATIENCE_SECONDS
    with socket.create_connection((place.hostname, place.port), _PATIENCE_SECONDS) as connection:
        try:
            for number, part in enumerate(parts):
                time.sleep(pause if number else 0.0)
                connection.sendall(part)
            while time.monotonic() < until:
                waits = answers is not None and len(statuses(content)) < answers
                connection.settimeout(_PATIENCE_SECONDS if waits else _SILENCE_SECONDS)
                data = connection.recv(64 * 1024)
                if not data:
                    return content, True
                content += data
        except TimeoutError:
            return content, False
        except ConnectionError:
            return content, True
    return content, False


def statuses(content: bytes) -> list[int]:
    """The status of each answer, informational ones left out."""
    found = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", content)]
    return [status for status in found if status >= 200]


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["at-once", "soon-after"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_follows_an_odd_request_is_not_read_as_one(
    gateway: RunningGateway, name: str, pause: float
) -> None:
    parts = [REFUSED[name] + SMUGGLED] if not pause else [REFUSED[name], SMUGGLED]
    content, _ = heard(gateway, *parts, pause=pause)
    assert b'"version"' not in content
    assert all(status >= 400 for status in statuses(content))
    assert len(statuses(content)) <= 1
    assert health(gateway) == [200]


def health(gateway: RunningGateway) -> list[int]:
    """What another caller gets."""
    request = b"GET /health HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
    content, _ = heard(gateway, request, answers=1)
    return statuses(content)


@pytest.mark.parametrize("name", ["a-length-over-the-limit", "a-head-too-large", "a-length-of-letters"])
def test_a_refusal_comes_at_once_and_closes_the_connection(gateway: RunningGateway, name: str) -> None:
    content, closed = heard(gateway, REFUSED[name], answers=1)
    assert len(statuses(content)) == 1
    assert closed


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_pipelined_requests_are_each_answered_in_their_order(gateway: RunningGateway, step: int) -> None:
    body = b'{"model": "nothing-of-this-name", "messages": []}'
    requests = (
        b"GET /health HTTP/1.1\r\nHost: gateway\r\n\r\n"
        + post(f"Content-Length: {len(body)}")
        + body
        + post(CHUNKED)
        + b"5;a=b\r\n"
        + body[:5]
        + b"\r\n%x\r\n" % (len(body) - 5)
        + body[5:]
        + b"\r\n0\r\nX-Trailer: 1\r\n\r\n"
        + post(f"Content-Length: {len(SMUGGLED)}", key="wrong")
        + SMUGGLED
        + b"\r\nGET /version HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
    )
    parts = [requests[at : at + step] for at in range(0, len(requests), step)]
    content, closed = heard(gateway, *parts, pause=0.0005, answers=5)
    assert statuses(content) == [200, 404, 404, 401, 200]
    assert content.count(b'"version"') == 1
    assert content.endswith(b"}")
    assert closed


def test_requests_without_a_body_that_expect_to_go_on_are_each_answered(gateway: RunningGateway) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\n\r\n"
    first, _ = heard(gateway, request, answers=1)
    assert statuses(first) == [200]
    both, _ = heard(gateway, request + SMUGGLED, answers=2)
    assert statuses(both) == [200, 200]
    assert json.loads(both[both.rindex(b"\r\n\r\n") :])["name"] == "pennyworth"


def test_headers_of_one_request_do_not_reach_into_the_next(gateway: RunningGateway) -> None:
    with_key = (
        f"GET /v1/models HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {KEY}\r\nExpect: 100-continue\r\n\r\n"
    ).encode()
    without_key = b"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n"
    content, _ = heard(gateway, with_key, without_key, pause=0.1, answers=2)
    assert statuses(content) == [200, 401]
