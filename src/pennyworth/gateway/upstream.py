"""HTTP connections to upstreams: the standard library's, kept open between requests, and never waiting blindly.

While a read waits, the caller is asked several times a second whether waiting still makes sense, so that a client that
hangs up, or a deadline, ends the upstream call even when the upstream is silent. No thread is needed for that.
"""

import http.client
import io
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_SECONDS = 10.0
"""How long a connection may take to be made, and each piece of a request to be taken, where the caller says nothing."""

_TICK_MILLISECONDS = 250
_IDLE_CONNECTIONS = 8
_CLOSING_SECONDS = 1.0

Check = Callable[[], None]
"""Called while waiting; raises whatever should end the wait."""


class UpstreamUnreachable(OSError):
    """No connection could be made, or it broke before an answer began."""


class _WaitingReader(io.RawIOBase):
    """A socket as a raw stream, whose reads call `check` while they wait."""

    def __init__(self, sock: socket.socket, file: io.BufferedIOBase, check: Check) -> None:
        self._sock = sock
        self._file = file  # keeps the socket open after http.client has closed its own handle of it
        self._check = check
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while True:
            try:
                return self._sock.recv_into(buffer)
            except (BlockingIOError, ssl.SSLWantReadError):
                while not self._poll.poll(_TICK_MILLISECONDS):
                    self._check()

    def close(self) -> None:
        self._file.close()
        super().close()


class _WaitingResponse(http.client.HTTPResponse):
    """An answer that is read without waiting blindly."""

    def __init__(self, sock: socket.socket, *, check: Check, method: str | None = None) -> None:
        super().__init__(sock, method=method)
        sock.settimeout(0)  # from here on the reader waits
        reader = _WaitingReader(sock, self.fp, check)
        self.fp = io.BufferedReader(reader, 64 * 1024)


class Exchange:
    """One request that was sent and whose answer is read. Close it to cancel it."""

    def __init__(self, key: "_Key", connection: http.client.HTTPConnection) -> None:
        self._key = key
        self._connection: http.client.HTTPConnection | None = connection
        self.response = connection.getresponse()

    def close(self) -> None:
        """Keep the connection for the next request where the answer was read to its end, else break it off."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self.response.isclosed() and connection.sock:
            _pool.put(self._key, connection)
        else:
            self.response.close()
            connection.close()


_Key = tuple[str, str, int]


class _Pool:
    """Idle connections. In Lambda one or two; in a server a few for each upstream."""

    def __init__(self) -> None:
        self._idle: dict[_Key, list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()

    def take(self, key: _Key) -> http.client.HTTPConnection | None:
        while True:
            with self._lock:
                connections = self._idle.get(key)
                connection = connections.pop() if connections else None
            if connection is None or not _stale(connection.sock):
                return connection
            connection.close()

    def put(self, key: _Key, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            connections = self._idle.setdefault(key, [])
            if len(connections) < _IDLE_CONNECTIONS:
                connections.append(connection)
                return
        connection.close()


_pool = _Pool()
_tls: ssl.SSLContext | None = None
_tls_lock = threading.Lock()


def tls() -> ssl.SSLContext:
    """The one TLS context; loading the certificate authorities takes a while, so a server does it while it starts."""
    global _tls
    with _tls_lock:  # two may want it at start
        if _tls is None:
            _tls = ssl.create_default_context()
        return _tls


def post(
    url: str, body: bytes, headers: Mapping[str, str], check: Check, *, connect: float = CONNECT_SECONDS
) -> Exchange:
    """Send a request and wait for the answer's status and headers.

    Args:
        url: http or https, with path and query.
        body: the request's body.
        headers: its headers, without Host and Content-Length.
        check: called several times a second while waiting for the answer; what it raises ends the call.
        connect: seconds that a connection may take to be made, and each piece of the request to be taken.
    Returns:
        the exchange, its response ready to be read.
    Raises:
        UpstreamUnreachable: no connection, or none that lasted until an answer began.
        http.client.HTTPException: the answer is no HTTP.
    """
    return _send("POST", url, body, headers, check, connect)


def get(url: str, headers: Mapping[str, str], check: Check) -> Exchange:
    """The same as `post` for GET, without a body."""
    return _send("GET", url, None, headers, check, CONNECT_SECONDS)


def _send(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], check: Check, connect: float
) -> Exchange:
    parts = urlsplit(url)
    key = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    reused = _pool.take(key)
    if reused:
        began = time.monotonic()
        try:
            return _exchange(reused, key, method, target, body, headers, check, connect)
        except UpstreamUnreachable:
            # closed just as the request went out: once more, on a fresh one. Later than that the upstream may have
            # been at work on it, and would be paid twice.
            if time.monotonic() - began > _CLOSING_SECONDS:
                raise
    return _exchange(_connect(key, connect), key, method, target, body, headers, check, connect)


def _exchange(
    connection: http.client.HTTPConnection,
    key: _Key,
    method: str,
    target: str,
    body: bytes | None,
    headers: Mapping[str, str],
    check: Check,
    seconds: float,
) -> Exchange:
    try:
        connection.sock.settimeout(seconds)
        connection.response_class = partial(_WaitingResponse, check=check)  # type: ignore[assignment]
        connection.request(method, target, body, dict(headers))
        return Exchange(key, connection)
    except (ConnectionError, http.client.RemoteDisconnected, ssl.SSLEOFError) as error:
        connection.close()
        raise UpstreamUnreachable(f"the connection broke: {error}") from error
    except TimeoutError as error:
        connection.close()
        raise UpstreamUnreachable("it did not take the request in time") from error
    except BaseException:
        connection.close()
        raise


def _connect(key: _Key, seconds: float) -> http.client.HTTPConnection:
    scheme, host, port = key
    proxy = _proxy(scheme, host)
    address = (proxy[0], proxy[1]) if proxy else (host, port)
    connection = (
        http.client.HTTPSConnection(*address, timeout=seconds, context=tls())
        if scheme == "https"
        else http.client.HTTPConnection(*address, timeout=seconds)
    )
    if proxy:
        connection.set_tunnel(host, port, proxy[2])
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise UpstreamUnreachable(str(error)) from error
    return connection


def _proxy(scheme: str, host: str) -> tuple[str, int, dict[str, str]] | None:
    """The proxy for a host as the usual variables name it: its host, port and headers."""
    names = {f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"}
    if not names & os.environ.keys():
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    url = proxies.get(scheme) or proxies.get("all")
    if not url or proxy_bypass(host):
        return None
    parts = urlsplit(url if "//" in url else f"//{url}")
    headers = {}
    if parts.username:
        from base64 import b64encode

        credentials = f"{parts.username}:{parts.password or ''}".encode()
        headers["Proxy-Authorization"] = f"Basic {b64encode(credentials).decode()}"
    return parts.hostname or "", parts.port or 8080, headers


def _stale(sock: socket.socket | None) -> bool:
    """Whether an idle connection has been closed by the other side: it is readable though nothing was asked."""
    if sock is None:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
