"""The socket side of the gateway: waitress, with three differences.

What the server itself refuses has the API's error format. A thread is kept for health checks, which answer however many
streams run. And a stop lets running requests end: https://docs.pylonsproject.org/projects/waitress/.
"""

import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from pennyworth.gateway import request_parser
from pennyworth.gateway.app import REFUSED, Gateway
from pennyworth.gateway.bodies import LARGEST_BODY_BYTES, too_large
from pennyworth.gateway.callers import Keys
from pennyworth.gateway.endpoints import needs_key
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.log import adopt_logger, log

if TYPE_CHECKING:
    from pennyworth.gateway.wsgi import Headers

_MOST_CONNECTIONS = 4096
_TICK_SECONDS = 0.1
_LAST_WORDS_SECONDS = 5.0
"""How long streams may take to send the event that ends them."""


class _Stopped(SystemExit):
    """Raised by the signal handler, wherever the loop is. waitress hands SystemExit on and swallows anything else."""


class _Refusal(ErrorTask):  # type: ignore[misc]  # untyped
    """Answers a request that never reached the application."""

    def execute(self) -> None:
        """Write the response. waitress then closes the connection."""
        self.channel.refused = True
        environ = {
            "REQUEST_METHOD": getattr(self.request, "command", "") or "GET",
            "PATH_INFO": getattr(self.request, "path", ""),
            "HTTP_ORIGIN": self.request.headers.get("ORIGIN", ""),
            REFUSED: _explain(self.request.error),
        }
        self.set_close_on_finish()
        for chunk in self.channel.server.application(environ, self._start):
            self.write(chunk)

    def _start(self, status: str, headers: "Headers") -> None:
        self.status = status
        self.response_headers.extend(headers)
        self.content_length = int(dict(headers)["Content-Length"])


class _Channel(request_parser.Channel):
    """A client's connection."""

    error_task_class = _Refusal


def _explain(refused: Any) -> ApiError:
    """What of the parser's errors the client is told."""
    if isinstance(refused, ApiError):
        return refused
    if refused.code == 413:
        return too_large(LARGEST_BODY_BYTES)
    return ApiError(refused.code, f"The request is not valid HTTP: {refused.body}.", code="invalid_request")


class _Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Hands requests to threads. What needs no key touches nothing and has a thread of its own."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.set_thread_count(threads)
        self._quick = ThreadedTaskDispatcher()
        self._quick.set_thread_count(1)

    def add_task(self, task: Any) -> None:
        """Queue a channel, whose first request is to be answered."""
        request = task.requests[0]
        if request.error or needs_key(request.path):
            super().add_task(task)
        else:
            self._quick.add_task(task)


def create(application: Gateway, host: str, port: int, threads: int, keys: Keys | None = None) -> Any:
    """Listen on an address.

    Args:
        application: what answers.
        host: the address; a name may be several.
        port: 0 takes a free one.
        threads: how many requests are answered at a time.
        keys: which open, where they never change. Without one of them no large body is read.
    Returns:
        waitress's server, for `run`.
    Raises:
        OSError: the port is taken.
    """
    adopt_logger("waitress")
    # of the classes: a name such as localhost may be several servers
    BaseWSGIServer.channel_class = _Channel
    request_parser.Parser.keys = keys
    return create_server(
        application,
        host=host,
        port=port,
        threads=threads,
        _dispatcher=_Dispatcher(threads),
        ident=None,
        clear_untrusted_proxy_headers=False,
        # without a look ahead waitress does not notice that a client has hung up
        channel_request_lookahead=1,
        max_request_body_size=LARGEST_BODY_BYTES + 1,
        connection_limit=_connection_limit(),
        asyncore_use_poll=True,  # select() ends at a file descriptor of 1,024
    )


def run(
    server: Any, begun: Callable[[], None], end_streams: Callable[[], None], drain_seconds: float
) -> None:
    """Serve until SIGTERM or SIGINT. Then listen no more, let running requests end, and end what still runs.

    A second signal stops at once.

    Args:
        server: see `create`.
        begun: says that it serves; called once signals end it as they should.
        end_streams: has running requests end with an error.
        drain_seconds: how long they may go on before.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stopped(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    sockets: dict[int, Any] = server.map if hasattr(server, "map") else server._map
    listening = [each for each in sockets.values() if isinstance(each, BaseWSGIServer)]
    try:
        begun()
        wasyncore.loop(timeout=1, use_poll=True, map=sockets)
    except _Stopped:
        with suppress(_Stopped):
            _drain(sockets, listening, end_streams, drain_seconds)
    wasyncore.close_all(sockets)  # its threads are daemons, and end with the process


def _drain(
    sockets: dict[int, Any], listening: list[Any], end_streams: Callable[[], None], seconds: float
) -> None:
    for server in listening:
        wasyncore.dispatcher.close(server)  # its own method would close what threads wake the loop with, too
    busy = _count_busy(listening)
    if busy:
        log("info", "stopping", running=busy, seconds=seconds)
    _loop_while_busy(sockets, listening, seconds)
    if _count_busy(listening):
        end_streams()
        _loop_while_busy(sockets, listening, _LAST_WORDS_SECONDS)


def _loop_while_busy(sockets: dict[int, Any], listening: list[Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _count_busy(listening) and time.monotonic() < deadline:
        wasyncore.loop(timeout=_TICK_SECONDS, use_poll=True, map=sockets, count=1)


def _count_busy(listening: list[Any]) -> int:
    """How many connections have a request that runs, or bytes that are not sent yet."""
    channels = [channel for server in listening for channel in list(server.active_channels.values())]
    return sum(bool(channel.requests or channel.total_outbufs_len) for channel in channels)


def _connection_limit() -> int:
    """How many sockets may be open: half of what the system allows, because each may need one to an upstream."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_CONNECTIONS if allowed < 0 else min(_MOST_CONNECTIONS, max(allowed // 2, 100))
