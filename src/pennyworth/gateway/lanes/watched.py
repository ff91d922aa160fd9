"""httpx connections that never wait blindly: what `upstream` does for the direct lane, inside an SDK's own clients.

LiteLLM makes its httpx clients itself, in dozens of places, and blocks in their reads. httpcore, below all of them,
reads sockets through one public class. Its connections are wrapped here, so that each read that a watched call waits
for asks several times a second whether waiting still makes sense. Reads of anyone else's stay as they were.
"""

import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from pennyworth.gateway.upstream import CONNECT_SECONDS, Check

_TICK_SECONDS = 0.25


class Interrupted(BaseException):
    """A watched call must end; `reason` says why. Not an Exception, so that no SDK maps, logs or retries it."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(reason)
        self.reason = reason


class Watch:
    """What ends a call early. Enter it around whatever may read from the network, in the thread that does."""

    def __init__(self, check: Check, deadline: float, late: Callable[[], Exception]) -> None:
        """
        Args:
            check: called several times a second while a read waits; what it raises ends the call.
            deadline: when the call must be over, on time.monotonic()'s clock.
            late: makes the error that is raised once it has passed.
        """
        self._check = check
        self._deadline = deadline
        self._late = late
        self._cancelled = False
        self._outer: Watch | None = None

    def __enter__(self) -> "Watch":
        self._outer = getattr(_current, "watch", None)
        _current.watch = self
        return self

    def __exit__(self, *_: object) -> None:
        _current.watch = self._outer

    def cancel(self) -> None:
        """Let the next read raise instead, upon which httpcore closes the connection."""
        self._cancelled = True

    def read(self, stream: httpcore.NetworkStream, max_bytes: int) -> bytes:
        """Read from a stream, whatever time the SDK itself would have given it."""
        if self._cancelled:
            raise Interrupted(GeneratorExit())
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise Interrupted(self._late())
            try:
                return stream.read(max_bytes, min(left, _TICK_SECONDS))
            except httpcore.ReadTimeout:
                try:
                    self._check()
                except Exception as reason:
                    raise Interrupted(reason) from None


_current = threading.local()


class _WatchedStream(httpcore.NetworkStream):
    """A connection whose reads end when the current thread's watch says so."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        watch: Watch | None = getattr(_current, "watch", None)
        return watch.read(self._stream, max_bytes) if watch else self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _at_most(CONNECT_SECONDS, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _WatchedStream(
            self._stream.start_tls(ssl_context, server_hostname, _at_most(CONNECT_SECONDS, timeout))
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def install() -> None:
    """Wrap every connection that httpcore's synchronous clients make from now on, in this process."""
    connect_tcp = httpcore.SyncBackend.connect_tcp
    if getattr(connect_tcp, "watched", False):
        return

    def watched_connect_tcp(
        self: httpcore.SyncBackend,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _at_most(CONNECT_SECONDS, timeout)
        return _WatchedStream(connect_tcp(self, host, port, timeout, local_address, socket_options))

    watched_connect_tcp.watched = True  # type: ignore[attr-defined]
    httpcore.SyncBackend.connect_tcp = watched_connect_tcp  # type: ignore[method-assign]


def _at_most(limit: float, timeout: float | None) -> float:
    return limit if timeout is None else min(limit, timeout)
