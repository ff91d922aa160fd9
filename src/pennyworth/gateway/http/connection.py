"""One connection to a server, over TCP or TLS, that never waits blindly.

While a read or a write waits, the caller is asked several times a second whether waiting still makes sense, so that a
client that hangs up, or a deadline, ends the upstream call even when the upstream is silent. No thread is needed.
"""

import errno
import os
import select
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pennyworth.gateway.http.errors import Unreachable

if TYPE_CHECKING:
    import ssl

CONNECT_SECONDS = 10.0
"""How long a connection may take to be made, and each piece of a request to be taken."""

_TICK_SECONDS = 0.25
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)
_RECEIVE_BYTES = 64 * 1024
_SEND_BYTES = 256 * 1024

Check = Callable[[], None]
"""Called while waiting, and several times a second while bytes come; raises whatever should end the exchange."""


class Connection:
    """A connected socket."""

    def __init__(self, sock: socket.socket, would_block: tuple[type[OSError], ...] = ()) -> None:
        """
        Args:
            sock: connected; it is closed with this object.
            would_block: what a TLS socket raises where a plain one raises BlockingIOError.
        """
        sock.setblocking(False)
        self._sock = sock
        self._would_block: tuple[type[OSError], ...] = (BlockingIOError, *would_block)
        self._poll = select.poll()
        # what TLS has decrypted already, of which the socket shows nothing
        self._pending: Callable[[], int] = getattr(sock, "pending", int)
        self._next_check = 0.0
        self.early = b""
        """What arrived before the request had been sent."""
        self.ended = False
        """Whether the other side has closed."""

    def send(self, data: bytes, check: Check) -> None:
        """Send a request.

        Stops where an answer that is final has begun before the request has been sent: whoever sends it reads no
        further. What came is in `early`.

        Raises:
            Unreachable: the other side closed, or takes nothing.
        """
        self._poll.register(self._sock, select.POLLIN | select.POLLOUT)
        rest = memoryview(data)
        progress = time.monotonic()
        while rest:
            self._look()
            if self.early[9:10] not in (b"", b"1"):  # of "HTTP/1.1 103", all of which but 1xx is final
                return
            if self.ended:
                if self.early:
                    return
                raise Unreachable("the connection was closed")
            try:
                sent = self._sock.send(rest[:_SEND_BYTES])
            except self._would_block:
                if not self._poll.poll(_TICK_SECONDS * 1000):
                    check()
                    if time.monotonic() - progress > CONNECT_SECONDS:
                        raise Unreachable("it did not take the request in time") from None
            except OSError:
                # the other side does not want the rest: what it said before it closed may still be read
                self.ended = self._look()
                if self.early:
                    return
                raise
            else:
                rest = rest[sent:]
                progress = time.monotonic()
                self._ask(check, progress)

    def receive(self, check: Check) -> bytes:
        """The next bytes, waited for; none at the end."""
        if self.early:
            data, self.early = self.early, b""
            return data
        if self.ended:
            return b""
        wanted = select.POLLIN
        while True:
            # most often it has to be waited for, and asking first is cheaper than an exception
            if not self._pending():
                self._poll.register(self._sock, wanted)
                while not self._poll.poll(_TICK_SECONDS * 1000):
                    check()
            try:
                data = self._sock.recv(_RECEIVE_BYTES)
            except self._would_block as wait:
                wanted = select.POLLOUT if type(wait).__name__ == "SSLWantWriteError" else select.POLLIN
            else:
                self._ask(check, time.monotonic())
                self.ended = not data
                return data

    def quiet(self) -> bool:
        """Whether the connection is open and nothing has arrived on it."""
        return not self._look()

    def close(self) -> None:
        """Close it. May be called again."""
        self._sock.close()

    def release(self) -> socket.socket:
        """Give the socket away, to be wrapped in TLS."""
        return self._sock

    def _look(self) -> bool:
        """Take what has arrived into `early`, without waiting; whether there is anything, the end included."""
        try:
            data = self._sock.recv(_RECEIVE_BYTES)
        except self._would_block:
            return False
        except OSError:
            data = b""
        self.early += data
        self.ended = not data
        return True

    def _ask(self, check: Check, now: float) -> None:
        """Check also where bytes never cease to come."""
        if now >= self._next_check:
            self._next_check = now + _TICK_SECONDS
            check()


def connect(host: str, port: int, seconds: float, check: Check) -> Connection:
    """A TCP connection.

    Args:
        host: its addresses are tried one after the other.
        port: the port.
        seconds: how long each address may take.
        check: called while waiting.
    Raises:
        Unreachable: it could not be made.
    """
    failure: OSError | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(str(error)) from error
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            code = sock.connect_ex(address)
            if code in _UNDER_WAY:
                _wait(sock, select.POLLOUT, time.monotonic() + seconds, check)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            # each request goes out whole: nothing is won by waiting for more
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return Connection(sock)
    raise Unreachable(str(failure)) from failure


def secure(
    connection: Connection, host: str, context: "ssl.SSLContext", seconds: float, check: Check
) -> Connection:
    """A TLS connection within another one, which is closed where that fails.

    Raises:
        Unreachable: the other side's certificate is not to be trusted, or it speaks no TLS.
    """
    import ssl

    sock = connection.release()
    give_up = time.monotonic() + seconds
    try:
        sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        while True:
            try:
                sock.do_handshake()
                break
            except ssl.SSLWantReadError:
                _wait(sock, select.POLLIN, give_up, check)
            except ssl.SSLWantWriteError:
                _wait(sock, select.POLLOUT, give_up, check)
    except (OSError, ValueError) as error:
        sock.close()
        raise Unreachable(str(error)) from error
    except BaseException:
        sock.close()
        raise
    return Connection(sock, (ssl.SSLWantReadError, ssl.SSLWantWriteError))


def _wait(sock: socket.socket, event: int, give_up: float, check: Check) -> None:
    """Wait for a socket, in short turns."""
    poll = select.poll()
    poll.register(sock, event)
    while not poll.poll(_TICK_SECONDS * 1000):
        check()
        if time.monotonic() > give_up:
            raise TimeoutError("timed out")
