"""Requests to upstreams, over connections that are kept for the next request.

A small client of our own, and a strict one: the standard library's takes an informational response for the final one
and hands a connection on with an answer still to come, which the next caller then reads as its own.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urlsplit

from pennyworth.gateway.http.answer import Answer
from pennyworth.gateway.http.connection import CONNECT_SECONDS, Check, Connection, connect, secure
from pennyworth.gateway.http.errors import HttpError, Unreachable, Unsendable
from pennyworth.gateway.http.proxy import Proxy, proxy_for

if TYPE_CHECKING:
    import ssl

_IDLE_CONNECTIONS = 8
_CLOSING_SECONDS = 1.0

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NEVER = re.compile(r"[\r\n\0]")
_TARGET = re.compile(r"[!-~]+")


class Origin(NamedTuple):
    """Where a connection leads."""

    scheme: str
    host: str
    port: int
    tls: "ssl.SSLContext | None"
    """None: the one that everything shares."""
    proxy: Proxy | None


class Exchange(Answer):
    """One request that was sent and whose answer is read. Close it, whatever happens: closing early cancels it."""

    def __init__(self, origin: Origin, connection: Connection, check: Check) -> None:
        self._origin: Origin | None = origin
        super().__init__(connection, check)

    def close(self) -> None:
        """Keep the connection for the next request where this one is provably over, else break it off."""
        origin, self._origin = self._origin, None
        if origin is None:
            return
        if self.reusable:
            _idle.put(origin, self._connection)
        else:
            self._connection.close()

    def drain(self, seconds: float) -> None:
        """Read what may be left of the body, for a short while, and close: a connection that is read out is kept."""
        give_up = time.monotonic() + seconds

        def check() -> None:
            if time.monotonic() > give_up:
                raise TimeoutError

        self._check = check
        try:
            while not self.over and time.monotonic() < give_up and self.read_some():
                pass
        except (HttpError, OSError):
            pass
        finally:
            self.close()


class _Idle:
    """Connections that wait for their next request. In Lambda one or two; in a server a few for each upstream.

    Without a lock: whoever is interrupted here by the garbage collector, and by a finaliser that closes something,
    waits for nobody.
    """

    def __init__(self) -> None:
        self._connections: dict[Origin, deque[Connection]] = {}

    def take(self, origin: Origin) -> Connection | None:
        try:
            return self._connections[origin].pop()
        except (KeyError, IndexError):
            return None

    def put(self, origin: Origin, connection: Connection) -> None:
        waiting = self._connections.setdefault(origin, deque())
        if len(waiting) < _IDLE_CONNECTIONS:
            waiting.append(connection)
        else:
            connection.close()


_idle = _Idle()
_tls: "ssl.SSLContext | None" = None
_tls_lock = threading.Lock()


def tls() -> "ssl.SSLContext":
    """The one TLS context; loading the certificate authorities takes a while, so a server does it while it starts."""
    global _tls
    with _tls_lock:  # two may want it at start
        if _tls is None:
            import ssl

            _tls = ssl.create_default_context()
        return _tls


def _unobserved() -> None:
    """Nobody asks when a request goes out."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    check: Check,
    *,
    connect: float = CONNECT_SECONDS,
    sending: Callable[[], None] = _unobserved,
) -> Exchange:
    """Send a request and wait for the answer's status and headers.

    Args:
        url: http or https, with path and query.
        body: the request's body.
        headers: its headers, without Content-Length; Host follows from the address.
        check: called several times a second while waiting for the answer; what it raises ends the call.
        connect: seconds that a connection may take to be made.
        sending: called before the first byte goes out. What fails earlier has reached nobody.
    Returns:
        the exchange, its body ready to be read.
    Raises:
        Unreachable: no connection, or none that lasted until an answer began.
        Malformed: the answer is no HTTP.
        Unsendable: the address or a header is not what HTTP allows.
    """
    return send("POST", url, body, headers, check, connect=connect, sending=sending)


def get(url: str, headers: Mapping[str, str], check: Check) -> Exchange:
    """The same as `post` for GET, without a body."""
    return send("GET", url, None, headers, check)


def send(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    check: Check,
    *,
    connect: float = CONNECT_SECONDS,
    context: "ssl.SSLContext | None" = None,
    sending: Callable[[], None] = _unobserved,
) -> Exchange:
    """The same as `post` for any method, and with a TLS context of one's own."""
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Unsendable("the address has no valid port") from None
    host = parts.hostname or ""
    origin = Origin(parts.scheme, host, port, context, proxy_for(parts.scheme, host, port))
    request = _request(method, parts, body, headers, origin.proxy if parts.scheme == "http" else None)
    while reused := _idle.take(origin):
        if not reused.quiet():  # closed meanwhile, or something came that nobody had asked for
            reused.close()
            continue
        began = time.monotonic()
        sending()
        try:
            return _exchange(origin, reused, request, check, fresh=False)
        except Unreachable:
            # closed just as the request went out: once more, on a fresh one. Later than that the upstream may have
            # been at work on it, and would be paid twice.
            if time.monotonic() - began > _CLOSING_SECONDS:
                raise
            break
    connection = _connect(origin, check, connect)
    sending()
    return _exchange(origin, connection, request, check, fresh=True)


def _exchange(
    origin: Origin, connection: Connection, request: bytes, check: Check, *, fresh: bool
) -> Exchange:
    try:
        connection.send(request, check)
        if connection.early and not fresh:
            # It may belong to the request before. This one was not sent whole, so nobody works on it.
            raise Unreachable("an answer came before the request had been sent")
        try:
            return Exchange(origin, connection, check)
        except Unreachable as error:
            error.sent = True
            raise
    except OSError as error:
        connection.close()
        if isinstance(error, ConnectionError):
            raise Unreachable(f"the connection broke: {error.strerror or type(error).__name__}") from error
        raise
    except BaseException:
        connection.close()
        raise


def _request(
    method: str, parts: SplitResult, body: bytes | None, headers: Mapping[str, str], proxy: Proxy | None
) -> bytes:
    """A request's bytes, in one piece so that they leave in one packet where they fit."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2].removesuffix(
        {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    )
    if parts.scheme not in ("http", "https") or not _TARGET.fullmatch(target) or not _TARGET.fullmatch(host):
        raise Unsendable("the address is no http or https URL")
    given = {name.lower() for name in headers}
    fields = dict(headers)
    if "host" not in given:
        fields = {"Host": host, **fields}
    if "accept-encoding" not in given:
        fields["Accept-Encoding"] = "identity"
    if body is not None:
        fields["Content-Length"] = str(len(body))
    if proxy:
        target = f"http://{host}{target}"
        fields.update(proxy.headers())
    return _head(f"{method} {target} HTTP/1.1", fields) + (body or b"")


def _head(first: str, fields: Mapping[str, str]) -> bytes:
    for name, value in fields.items():
        if not _NAME.fullmatch(name):
            raise Unsendable("a header's name holds characters that HTTP does not allow")
        # not as a class of characters beyond Latin-1, which takes 14 ms to compile
        if _NEVER.search(value) or not (value.isascii() or max(value) <= "\xff"):
            raise Unsendable(f"the header {name} holds a line break or characters that HTTP does not allow")
    lines = [first, *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _connect(origin: Origin, check: Check, seconds: float) -> Connection:
    proxy = origin.proxy
    if proxy is None:
        connection = connect(origin.host, origin.port, seconds, check)
    else:
        try:
            connection = connect(proxy.host, proxy.port, seconds, check)
        except Unreachable as error:
            raise Unreachable(f"the proxy {proxy.host}:{proxy.port}: {error}") from error
        if origin.scheme == "https":
            _tunnel(connection, origin, proxy, check, seconds)
    if origin.scheme == "http":
        return connection
    return secure(connection, origin.host, origin.tls or tls(), seconds, check)


def _tunnel(connection: Connection, origin: Origin, proxy: Proxy, check: Check, seconds: float) -> None:
    """Have a proxy lead a connection on to an origin: RFC 9110, 9.3.6."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    give_up = time.monotonic() + seconds

    def checked() -> None:
        check()
        if time.monotonic() > give_up:
            raise Unreachable(f"the proxy {proxy.host}:{proxy.port} does not answer")

    try:
        connection.send(
            _head(
                f"CONNECT {host}:{origin.port} HTTP/1.1", {"Host": f"{host}:{origin.port}", **proxy.headers()}
            ),
            checked,
        )
        answer = Answer(connection, checked)
        if not 200 <= answer.status < 300:
            raise Unreachable(f"the proxy {proxy.host}:{proxy.port} answers with status {answer.status}")
        if answer.excess:
            raise Unreachable(f"the proxy {proxy.host}:{proxy.port} sends what nobody asked for")
    except HttpError as error:
        connection.close()
        raise (
            error if isinstance(error, Unreachable) else Unreachable(f"the proxy {proxy.host}: {error}")
        ) from error
    except BaseException:
        connection.close()
        raise
