"""A caller of the gateway on a raw socket, who keeps every byte that came, and a judge of what came."""

import json
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.gateway.conftest import KEY
from tests.gateway.oddities.due import text_for
from tests.gateway.oddities.stage import marks_in

PATIENCE_SECONDS = 25.0
"""How long a caller waits who does not hang up."""


@dataclass(frozen=True)
class Heard:
    """What a caller got, until the gateway closed."""

    mark: str
    streamed: bool
    raw: bytes
    status: int
    """0 where no status came."""
    body: bytes
    finished: bool
    """Whether the answer came to its own end."""
    seconds: float

    @property
    def marks(self) -> set[str]:
        """Whose answers there are in it."""
        return marks_in(self.raw) | marks_in(self.body)


def ask(
    address: str,
    model: str,
    mark: str,
    streamed: bool,
    *,
    hangs_up: float | None = None,
    begun: threading.Event | None = None,
    padding: int = 0,
    manner: str = "usual",
) -> Heard:
    """Ask for a chat completion and listen to the end.

    Args:
        address: the gateway's.
        model: the model to ask.
        mark: goes into the question.
        streamed: whether a stream is asked for.
        hangs_up: seconds after which the caller hangs up; None: it listens to the end.
        begun: set when those seconds begin.
        padding: bytes that the question is longer.
        manner: how the question says that it is to be answered.
    """
    place = urlsplit(address)
    message = {"role": "user", "content": f"Say {mark} as {manner}.{' and' * (padding // 4)}"}
    body = json.dumps({"model": model, "messages": [message], "stream": streamed}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    start = time.monotonic()
    until = start + (PATIENCE_SECONDS if hangs_up is None else hangs_up)
    raw, closed = b"", False
    try:
        with socket.create_connection((place.hostname, place.port), PATIENCE_SECONDS) as connection:
            connection.sendall(head.encode() + body)
            if begun is not None and hangs_up is not None:
                begun.wait(PATIENCE_SECONDS)
                until = time.monotonic() + hangs_up
            while (left := until - time.monotonic()) > 0:
                connection.settimeout(left)
                data = connection.recv(256 * 1024)
                if not data:
                    closed = True
                    break
                raw += data
    except OSError:
        pass
    status, content, whole = _parsed(raw)
    return Heard(mark, streamed, raw, status, content, whole and closed, time.monotonic() - start)


def _parsed(raw: bytes) -> tuple[int, bytes, bool]:
    """Status, body and whether the answer came to its own end."""
    head, found, rest = raw.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    if not found or not first.startswith(b"HTTP/1.1 "):
        return 0, b"", False
    status = int(first[9:12])
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
    }
    if headers.get(b"transfer-encoding") == b"chunked":
        return status, *_joined(rest)
    length = int(headers.get(b"content-length", len(rest)))
    return status, rest, len(rest) == length


def _joined(rest: bytes) -> tuple[bytes, bool]:
    """What the chunks hold, and whether the last one came."""
    pieces: list[bytes] = []
    while True:
        size, found, rest = rest.partition(b"\r\n")
        if not found:
            return b"".join(pieces), False
        length = int(size, 16)
        if length == 0:
            return b"".join(pieces), rest == b"\r\n"
        pieces.append(rest[:length])
        rest = rest[length + 2 :]


def faults(heard: Heard, *, may_fail: bool) -> list[str]:
    """What is wrong with what a caller got who listened to the end.

    Args:
        heard: what it got.
        may_fail: whether an error is as good as the answer.
    """
    found = strangers(heard)
    if not heard.finished:
        return [*found, f"no end of the answer in {heard.seconds:.1f} s: {heard.raw[-300:]!r}"]
    if heard.status != 200:
        if heard.status < 400 or not _is_error(heard.body):
            found.append(f"neither an answer nor an error: {heard.status} {heard.body[:300]!r}")
        elif not may_fail:
            found.append(f"an error in place of the answer: {heard.status} {heard.body[:300]!r}")
        return found
    text, failed, whole = _events(heard.body) if heard.streamed else _document(heard.body)
    due = text_for(heard.mark)
    if failed:
        if not may_fail:
            found.append(f"an error in place of the answer: {heard.body[-300:]!r}")
        if text is None or not due.startswith(text):
            found.append(f"an error after what is no beginning of the answer: {heard.body[-600:]!r}")
    elif text != due or not whole:
        found.append(f"200 and not the answer: {heard.body[-600:]!r}")
    return found


def strangers(heard: Heard) -> list[str]:
    """What a caller heard of others."""
    others = heard.marks - {heard.mark}
    return [f"another one's answer: {heard.raw!r}"] if others else []


def _is_error(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body)["error"]["message"], str)
    except (ValueError, TypeError, KeyError):
        return False


def _document(body: bytes) -> tuple[str | None, bool, bool]:
    """Text, whether it is an error, whether it is whole."""
    try:
        return json.loads(body)["choices"][0]["message"]["content"], False, True
    except (ValueError, TypeError, KeyError, IndexError):
        return None, False, False


def _events(body: bytes) -> tuple[str | None, bool, bool]:
    """A stream's text, none where an event can't be read; whether it ends with an error; whether it is whole."""
    text: str | None = ""
    failed = done = False
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line for line in event.split(b"\n") if line.startswith(b"data:")]
        if not lines:
            continue
        if failed or done:  # nobody reads on
            break
        data = b"\n".join(line.removeprefix(b"data:").strip() for line in lines)
        if data == b"[DONE]":
            done = True
            continue
        if _is_error(data):
            failed = True
            continue
        try:
            document: dict[str, Any] = json.loads(data)
            piece = "".join(choice["delta"].get("content") or "" for choice in document["choices"])
        except (ValueError, TypeError, KeyError, AttributeError):
            text = None
            continue
        if text is not None:
            text += piece
    return text, failed, done
