"""LiteLLM's HTTP calls, sent by the gateway's own client.

LiteLLM makes its httpx clients itself, in dozens of places, each with an `httpx.HTTPTransport`. `install` has that
class send by `gateway.http`: so deadlines and hang-ups end a call, connections are handed on only after a clean end,
redirects are not followed, and answers have limits, on this lane as on the other.
"""

import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.events import EventReader, close_event
from pennyworth.gateway.http import client
from pennyworth.gateway.http.errors import HttpError, Malformed, TooLarge, Truncated, Unreachable, Unsendable
from pennyworth.gateway.lanes.failures import find_error
from pennyworth.gateway.lanes.limits import LARGEST_ANSWER_BYTES, LARGEST_ERROR_BYTES, LARGEST_EVENT_BYTES

_DRAIN_SECONDS = 0.25
_UNWATCHED_SECONDS = 600.0

# What belongs to the one connection, or is the client's own to say.
_OURS = frozenset(["accept-encoding", "connection", "content-length", "transfer-encoding"])

# How the paths end at which providers stream: Gemini's and Bedrock's.
_STREAM_PATHS = (":streamGenerateContent", "/converse-stream", "/invoke-with-response-stream")

# A request with nothing else in its head carries nothing of the operator's.
_PLAIN = frozenset(["accept", "accept-encoding", "connection", "host", "user-agent"])

# How streams end that are whole, by how the paths end at which they are asked for. LiteLLM makes of any end a good one.
_ENDS = {
    "/v1/messages": re.compile(rb'"stop_reason"\s*:\s*"|"message_stop"'),
    ":streamGenerateContent": re.compile(rb'"finishReason"\s*:\s*"|"blockReason"\s*:\s*"'),
    "/chat/completions": re.compile(rb'"finish_reason"\s*:\s*"|(?:^|\n)data:\s*\[DONE\]'),
    "/v2/chat": re.compile(rb'"finish_reason"\s*:\s*"|"message-end"'),
    "/converse-stream": re.compile(rb":event-type\x07\x00\x0bmessageStop"),
}

# What no answer goes without, by how the paths end at which it is asked for. LiteLLM answers for its lack by itself.
_FIELDS = {"/chat/completions": "choices", "/embeddings": "data"}

_DOCUMENTS = ("application/json", "text/html")
_LONGEST_MARK = 64
"""How much of a chunk is looked at again with the next one, which may hold the rest of a mark."""
_STREAMS = ("text/event-stream", "application/vnd.amazon.eventstream", "application/x-ndjson")


class Interrupted(BaseException):
    """A call must end; `reason` says why. Not an Exception, so that no SDK maps, logs or retries it."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__()
        self.reason = reason


class CallScope:
    """One call's way to the network. Enter it around whatever may send or read, in the thread that does.

    It owns every answer that is opened meanwhile: `finish` or `close` ends them all, whatever the SDK has let go of.
    """

    def __init__(
        self,
        check: Callable[[], None],
        *,
        touch: Callable[[], None],
        connect: float,
        redirected: Callable[[int, str], ApiError],
        refused: Callable[[bytes], ApiError | None],
        unusable: Callable[[str], ApiError],
        streaming: bool,
    ) -> None:
        """
        Args:
            check: called several times a second; what it raises ends the call.
            touch: called when waiting begins: for an answer, and for each read of a stream.
            connect: seconds that a connection may take to be made.
            redirected: makes the error for an answer that leads elsewhere, of its status and target.
            refused: makes the error of a body that is called a stream and may be one; None where it is none.
            unusable: makes the error for an answer that can't be one of the provider's, of the reason.
            streaming: whether the call asks for a stream.
        """
        self._check = check
        self.touch = touch
        self.connect = connect
        self.redirected = redirected
        self.refused = refused
        self.unusable = unusable
        self.streaming = streaming
        self.sent = False
        """Whether anything may have reached the provider."""
        self.answered = False
        """Whether anything came back."""
        self.headers: list[tuple[str, str]] = []
        """Of the last answer."""
        self._open: list[client.Exchange] = []
        self._outer: CallScope | None = None

    def __enter__(self) -> "CallScope":
        self._outer = getattr(_current, "scope", None)
        _current.scope = self
        return self

    def __exit__(self, *_: object) -> None:
        _current.scope = self._outer

    def check(self) -> None:
        """Raise Interrupted where the call must end."""
        try:
            self._check()
        except Exception as reason:
            raise Interrupted(reason) from None

    def sending(self) -> None:
        """Note that a request goes out."""
        self.sent = True
        self.touch()

    def own(self, exchange: client.Exchange) -> None:
        """Have an exchange ended with this call."""
        self._open.append(exchange)

    def finish(self) -> None:
        """End what is open, after the SDK has read all that it wanted: the rest is read, so connections are kept."""
        while self._open:
            self._open.pop().drain(_DRAIN_SECONDS)

    def close(self) -> None:
        """Break off what is open."""
        while self._open:
            self._open.pop().close()


_current = threading.local()


def install() -> None:
    """Have every synchronous httpx client of this process send by `gateway.http`."""
    transport: Any = httpx.HTTPTransport
    transport.__init__ = _init
    transport.handle_request = _handle_request
    for name in ("__enter__", "__exit__", "close"):
        setattr(transport, name, getattr(httpx.BaseTransport, name))


def _init(
    self: Any,
    verify: ssl.SSLContext | str | bool = True,
    cert: Any = None,
    trust_env: bool = True,
    **_: object,
) -> None:
    """The arguments of httpx.HTTPTransport, of which those that concern TLS count."""
    shared = verify is True and cert is None
    self.tls = None if shared else httpx.create_ssl_context(verify=verify, cert=cert, trust_env=trust_env)


def _handle_request(self: Any, request: httpx.Request) -> httpx.Response:
    scope: CallScope | None = getattr(_current, "scope", None)
    check = scope.check if scope else _limit(_UNWATCHED_SECONDS)
    url = request.url
    address = f"{url.scheme}://{url.netloc.decode('ascii')}{url.raw_path.decode('ascii')}"
    fields: dict[str, str] = {}
    for key, value in request.headers.multi_items():
        if key not in _OURS:
            fields[key] = f"{fields[key]}, {value}" if key in fields else value
    options: dict[str, Any] = {"connect": scope.connect, "sending": scope.sending} if scope else {}
    content = request.read()
    body = content if content or request.method in ("POST", "PUT", "PATCH") else None
    try:
        exchange = client.send(request.method, address, body, fields, check, context=self.tls, **options)
    except (HttpError, OSError) as error:
        raise _translated(error, request) from error
    try:
        return _response(exchange, request, scope)
    except (HttpError, OSError) as error:
        exchange.close()
        raise _translated(error, request) from error
    except BaseException:
        exchange.close()
        raise


def _response(exchange: client.Exchange, request: httpx.Request, scope: CallScope | None) -> httpx.Response:
    """What httpx is given of an answer: whole, unless it is a stream that was asked for."""
    status = exchange.status
    if scope and request.method == "POST":
        scope.answered, scope.headers = True, exchange.headers
    if scope and request.method == "POST" and 200 < status < 300:
        raise Interrupted(scope.unusable(f"its status is {status}"))
    if 300 <= status < 400 and scope and not (request.method == "GET" and request.headers.keys() <= _PLAIN):
        raise Interrupted(scope.redirected(status, exchange.header("location") or ""))
    kind = (exchange.header("content-type") or "").partition(";")[0].strip().lower()
    if status < 300 and scope and kind not in _DOCUMENTS and (scope.streaming or kind in _STREAMS):
        scope.own(exchange)
        content = _events(exchange, scope) if kind == "text/event-stream" else _pieces(exchange, scope)
        end = next((mark for path, mark in _ENDS.items() if request.url.path.endswith(path)), None)
        if end and kind in _STREAMS:
            content = _whole(content, end)
        return httpx.Response(status, headers=_headers(exchange), stream=_Stream(content, request))
    if status < 400:
        body = exchange.read(LARGEST_ANSWER_BYTES)
        if scope and request.method == "POST":
            try:
                document = json.loads(body)
            except (ValueError, RecursionError):
                raise Interrupted(scope.unusable("it is no JSON")) from None
            if error := find_error(document):
                exchange.close()
                return httpx.Response(error, headers=_headers(exchange), stream=httpx.ByteStream(body))
            field = next((field for path, field in _FIELDS.items() if request.url.path.endswith(path)), "")
            if field and not isinstance(document.get(field), list):
                raise Interrupted(scope.unusable(f"it has no field '{field}'"))
        if scope and scope.streaming and _asks_for_stream(request):
            raise Interrupted(scope.unusable("it is one document where a stream was asked for"))
    else:
        body = exchange.read_beginning(LARGEST_ERROR_BYTES)
    exchange.close()
    return httpx.Response(status, headers=_headers(exchange), stream=httpx.ByteStream(body))


def _pieces(exchange: client.Exchange, scope: CallScope) -> Iterator[bytes]:
    """A body as it comes."""
    size = 0
    scope.touch()
    while data := exchange.read_some():
        size += len(data)
        if size > LARGEST_ANSWER_BYTES:
            raise TooLarge(f"it has more than {LARGEST_ANSWER_BYTES} bytes")
        yield data
        scope.touch()
    if not size:
        raise Truncated("it is empty")


def _events(exchange: client.Exchange, scope: CallScope) -> Iterator[bytes]:
    """Whole events that hold JSON. Comments and blank lines are left out: LiteLLM makes a chunk of each line."""
    reader, empty = EventReader(), True
    for data in _pieces(exchange, scope):
        whole = reader.feed(data)
        if len(reader.rest) > LARGEST_EVENT_BYTES:
            raise TooLarge(f"an event of it has more than {LARGEST_EVENT_BYTES} bytes")
        kept = [line for line in whole.splitlines() if line.startswith((b"data:", b"event:"))]
        for line in kept:
            content = line[5:].strip()
            if line.startswith(b"data:") and content != b"[DONE]" and not _is_json(content):
                raise Malformed("an event of it is no JSON")
        if kept:
            empty = False
            # LiteLLM reads lines, and the SDK below it events: both are content with a line each
            yield b"".join(line + (b"\n\n" if line.startswith(b"data:") else b"\n") for line in kept)
    if reader.rest.strip():
        last = close_event(reader.rest)
        if not last:
            if failure := scope.refused(reader.rest):
                raise Interrupted(failure)
            raise Truncated("it ends in the middle of an event")
        empty = False
        yield last
    if empty:
        raise Truncated("it holds no event")


def _whole(content: Iterator[bytes], end: re.Pattern[bytes]) -> Iterator[bytes]:
    """A stream that fails where it ends without having said that it is over."""
    over, tail = False, b""
    for data in content:
        over = over or bool(end.search(tail + data))
        tail = data[-_LONGEST_MARK:]
        yield data
    if not over:
        raise Truncated("it ends before its end")


def _asks_for_stream(request: httpx.Request) -> bool:
    """Whether a request of LiteLLM's is for a stream: it makes some streams itself, of whole answers."""
    path = request.url.path
    return path.endswith(_STREAM_PATHS) or b'"stream":true' in request.read().replace(b" ", b"")


class _Stream(httpx.SyncByteStream):
    """An answer's body as it comes. The call that it belongs to ends it, not whoever lets go of it."""

    def __init__(self, content: Iterator[bytes], request: httpx.Request) -> None:
        self._content = content
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._content
        except (HttpError, OSError) as error:
            raise _translated(error, self._request) from error


def _headers(exchange: client.Exchange) -> list[tuple[bytes, bytes]]:
    # the length is that of the body before it was cut or decoded; a cookie would be sent for the next caller
    return [
        (name.encode("ascii"), value.encode("latin-1"))
        for name, value in exchange.headers
        if name.lower() not in ("content-length", "set-cookie")
    ]


def _translated(error: Exception, request: httpx.Request) -> httpx.RequestError:
    """The exception that httpx has for it."""
    kind: type[httpx.RequestError] = httpx.RemoteProtocolError
    if isinstance(error, Unreachable):
        kind = httpx.ConnectError
    elif isinstance(error, Unsendable):
        kind = httpx.UnsupportedProtocol
    return kind(str(error), request=request)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _limit(seconds: float) -> Callable[[], None]:
    give_up = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > give_up:
            raise TimeoutError

    return check
