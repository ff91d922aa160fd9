"""Requests as waitress parses them, without what could be understood in two ways.

Whoever stands before this server may have understood it the other way, and what follows would then be somebody else's
request: https://www.rfc-editor.org/rfc/rfc9112#section-6.1.
"""

import re
import socket
import time
from contextlib import suppress

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError

from pennyworth.gateway.bodies import LARGEST_BODY_BYTES
from pennyworth.gateway.callers import Keys
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.wsgi import Request

_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([!-~]+)[ \t]*\r\n", re.IGNORECASE)

_UNASKED_BYTES = 1024 * 1024
"""Of a body that is read before anybody looks at the request's key."""

_DISCARD_SECONDS = 10.0
_DISCARD_BYTES = 2 * LARGEST_BODY_BYTES
_RECEIVE_BYTES = 64 * 1024


class Parser(HTTPRequestParser):  # type: ignore[misc]  # untyped
    """Refuses a request whose end is in doubt, upon which waitress closes the connection."""

    keys: Keys | None = None
    """Which open, where that is known beforehand."""

    def parse_header(self, header_plus: bytes) -> None:
        """Parse a request's line and headers.

        Raises:
            ParsingError: they are not what HTTP allows.
        """
        lines = header_plus.split(b"\r\n")[1:]
        if any(line.startswith((b" ", b"\t")) for line in lines):
            raise ParsingError("A header is folded over several lines")
        fields = [line.partition(b":") for line in lines]
        encodings = [value for name, _, value in fields if name.strip().lower() == b"transfer-encoding"]
        lengths = [value for name, _, value in fields if name.strip().lower() == b"content-length"]
        if encodings and (lengths or [value.strip(b" \t").lower() for value in encodings] != [b"chunked"]):
            raise ParsingError(
                "Transfer-Encoding is something else than chunked, or stands beside Content-Length"
            )
        super().parse_header(header_plus)
        if encodings and not self.chunked:
            raise ParsingError("Transfer-Encoding in a request that is not HTTP/1.1")

    def received(self, data: bytes) -> int:
        """Take what has arrived; how much of it belongs to this request."""
        before = self.header_plus if self.body_rcv is None else b""
        taken: int = super().received(data)
        if self.error and taken and self.body_rcv is None:
            self._find_origin(before + data)
        if self.body_rcv is not None and not self.body_bytes_received and not self.completed:
            self._look_at_the_key()
        if self.completed:
            # else waitress says "100 Continue", takes the request for unfinished and the next one for a part of it
            self.expect_continue = False
        return taken

    def _find_origin(self, received: bytes) -> None:
        """Learn which page sends a request whose headers can't be parsed, so that it may read why."""
        head, whole, _ = received.partition(b"\r\n\r\n")
        if found := _ORIGIN.search(head + b"\r\n"):
            self.headers["ORIGIN"] = found[1].decode("ascii")
        elif not whole:  # it may be in what was not read: as browsers call an origin that nobody may know
            self.headers["ORIGIN"] = "null"

    def _look_at_the_key(self) -> None:
        """Refuse a large body before it arrives where no key opens."""
        if self.keys is None or not (self.chunked or self.content_length > _UNASKED_BYTES):
            return
        environ = {f"HTTP_{name}": value for name, value in self.headers.items()}
        try:
            self.keys.authenticate(Request(environ, self.command, self.path))
        except ApiError as refused:
            self.error, self.completed = refused, True


class Channel(HTTPChannel):  # type: ignore[misc]
    """A client's connection.

    Where a request is refused, the client may still be sending. Closed at once, the connection would be reset, and the
    client might never read why; so what it sends is read and thrown away, for a while.
    """

    parser_class = Parser
    refused = False
    """Whether the response refuses what has not been read to its end."""
    close_when_flushed: bool = False
    _discards_until = 0.0
    _discarded_bytes = 0

    def handle_write(self) -> None:
        """Send what waits to be sent."""
        if self.refused and self.close_when_flushed and not self.will_close:
            self._flush_exception(self._flush_some)
            if not self.total_outbufs_len and not self.will_close:
                self.close_when_flushed = False
                self._discards_until = time.monotonic() + _DISCARD_SECONDS
                with suppress(OSError):
                    self.socket.shutdown(socket.SHUT_WR)
                return
        super().handle_write()

    def readable(self) -> bool:
        """Whether to read. Asked at least once a second."""
        if not self._discards_until:
            return bool(super().readable())
        if time.monotonic() > self._discards_until or self._discarded_bytes > _DISCARD_BYTES:
            self.will_close = True
        return not self.will_close

    def handle_read(self) -> None:
        """Read what has arrived."""
        if not self._discards_until:
            super().handle_read()
            return
        try:
            self._discarded_bytes += len(self.recv(_RECEIVE_BYTES))  # at its end it closes
        except OSError:
            self.handle_close()
