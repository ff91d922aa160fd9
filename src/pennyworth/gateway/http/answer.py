"""An answer as it is read from a connection: its head, then its body, strictly as RFC 9112 frames them.

A connection may serve the next caller only when nothing of this exchange can still arrive on it. Whatever leaves a
doubt about where the answer ends makes it `odd`: it is still read where that is safe, and its connection is closed.
"""

import re
from typing import TYPE_CHECKING

from pennyworth.gateway.http.connection import Check, Connection
from pennyworth.gateway.http.errors import HttpError, Malformed, TooLarge, Truncated, Unreachable

if TYPE_CHECKING:
    from pennyworth.gateway.http.decoding import Decoder

_HEAD_BYTES = 64 * 1024
_SIZE_LINE_BYTES = 1024

_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [^\r\n\0]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_LENGTH = re.compile(r"[0-9]{1,15}")

Headers = list[tuple[str, str]]


class Answer:
    """The final answer to the one request under way on a connection; informational ones (1xx) are skipped."""

    def __init__(self, connection: Connection, check: Check) -> None:
        """Wait for the answer's head.

        Args:
            connection: the request has been sent on it.
            check: called while waiting; raises what should end the exchange.
        Raises:
            Unreachable: the connection broke before an answer began.
            Malformed: what comes is no HTTP.
        """
        self._connection = connection
        self._check = check
        self._buffer = b""
        self._odd = bool(connection.early)
        """Whether there is a doubt about the answer's framing, so that nobody may follow on its connection."""
        self._began = False
        while True:
            self.status, self.headers = self._read_head()
            if self.status == 101:
                raise Malformed("it changes to another protocol, which nobody asked for")
            if self.status >= 200:
                break
        self.delimited = True
        """Whether length or chunks tell the body's end; else only the connection's end does."""
        self._left: int | None = None
        """Bytes of the body, or of its chunk, that are still to come; None: until the connection ends."""
        self._chunked = False
        self._in_trailer = False
        self._chunk_ends = False
        self.over = False
        """Whether the body was read to its end."""
        self._frame()
        self._decoder = self._choose_decoder()

    @property
    def reusable(self) -> bool:
        """Whether the exchange is provably over, so that another request may follow on the connection."""
        return self.over and not self._odd and not self.excess and not self._connection.ended

    @property
    def excess(self) -> bool:
        """Whether more has arrived than what was read."""
        return bool(self._buffer)

    def header(self, name: str) -> str | None:
        """A header's value; several are joined by commas."""
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None

    def read_some(self) -> bytes:
        """The next bytes of the body as soon as there are any; none at its end.

        Raises:
            Truncated: it ended before its end.
            Malformed: its framing or its encoding is broken.
        """
        if self._decoder is None:
            return self._read_raw()
        while True:
            data = self._decoder.decode_some()
            if data:
                return data
            raw = self._read_raw()
            if not raw:
                if not self._decoder.complete:
                    raise Truncated("its encoded body ends in the middle")
                return b""
            self._decoder.feed(raw)

    def read(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            TooLarge: it has more bytes than the limit.
        """
        body = self.read_beginning(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"it has more than {limit} bytes")
        return body

    def read_beginning(self, limit: int) -> bytes:
        """At most the first so many bytes of the body."""
        pieces, size = [], 0
        while size < limit and (piece := self.read_some()):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)[:limit]

    def _read_head(self) -> tuple[int, Headers]:
        while not (end := _HEAD_END.search(self._buffer)):
            if len(self._buffer) > _HEAD_BYTES:
                raise Malformed("its headers are too long")
            self._receive(
                Unreachable("the connection was closed before an answer") if not self._began else None
            )
            self._began = True
        if end.start() > _HEAD_BYTES:
            raise Malformed("its headers are too long")
        head, self._buffer = self._buffer[: end.end()], self._buffer[end.end() :]
        if head.count(b"\n") != head.count(b"\r\n"):
            self._odd = True
        first, *lines = [line.removesuffix(b"\r") for line in head.split(b"\n")[:-2]]
        status = _STATUS.fullmatch(first)
        if not status:
            raise Malformed("it does not begin with an HTTP status")
        self._version = int(status[1])
        return int(status[2]), self._fields(lines)

    def _fields(self, lines: list[bytes]) -> Headers:
        headers: Headers = []
        for line in lines:
            if line[:1] in (b" ", b"\t") and headers and not set(line) & set(b"\r\0"):
                # a value folded over several lines, which RFC 9112, 5.2 has read as one
                self._odd = True
                name, value = headers[-1]
                headers[-1] = name, f"{value} {line.strip().decode('latin-1')}".strip()
                continue
            field = _FIELD.fullmatch(line)
            if not field:
                raise Malformed("one of its header lines is none")
            headers.append((field[1].decode("ascii"), field[2].decode("latin-1")))
        return headers

    def _frame(self) -> None:
        """Where the body ends: RFC 9112, 6.3."""
        encodings = self._tokens("transfer-encoding")
        lengths = self._tokens("content-length")
        tokens = self._tokens("connection")
        if (
            "close" in tokens
            or (self._version == 0 and "keep-alive" not in tokens)
            or self.header("upgrade") is not None
            or len(lengths) > 1
            or (encodings and (lengths or self._version == 0))
        ):
            self._odd = True
        if encodings not in ([], ["chunked"]):
            raise Malformed("its transfer encoding is not one that was asked for")
        if len(set(lengths)) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
            raise Malformed("its length is contradictory or no number")
        if self.status in (204, 304):
            self._left = 0
            self._odd = self._odd or bool(encodings) or (bool(lengths) and self.status == 204)
        elif encodings:
            self._left, self._chunked = 0, True
        elif lengths:
            self._left = int(lengths[0])
        else:
            self._odd, self.delimited = True, False
        if self._left == 0 and not self._chunked:
            self.over = True

    def _choose_decoder(self) -> "Decoder | None":
        codings = [coding for coding in self._tokens("content-encoding") if coding != "identity"]
        if not codings:
            return None
        from pennyworth.gateway.http.decoding import Decoder  # it was not asked for, hence rare

        self.headers = [
            item for item in self.headers if item[0].lower() not in ("content-encoding", "content-length")
        ]
        return Decoder(codings)

    def _tokens(self, name: str) -> list[str]:
        value = self.header(name)
        return [token.strip(" \t").lower() for token in value.split(",")] if value is not None else []

    def _read_raw(self) -> bytes:
        """The body's next bytes without its framing."""
        try:
            while not self.over:
                data = self._take_chunked() if self._chunked else self._take_plain()
                if data or self.over:
                    return data
                self._receive(None if self.delimited else _EndOfBody())
        except _EndOfBody:
            self.over = True
        return b""

    def _take_plain(self) -> bytes:
        if self._left is None:
            data, self._buffer = self._buffer, b""
            return data
        data, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(data)
        self.over = self._left == 0
        return data

    def _take_chunked(self) -> bytes:
        """The data of all chunks that have arrived: RFC 9112, 7.1."""
        buffer, at, pieces = self._buffer, 0, []
        while True:
            if self._left:
                piece = buffer[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._chunk_ends = True
            if self._chunk_ends:
                if len(buffer) - at < 2:
                    break
                if buffer[at : at + 2] != b"\r\n":
                    raise Malformed("one of its chunks is longer than it says")
                at += 2
                self._chunk_ends = False
            end = buffer.find(b"\r\n", at)
            if end < 0 or self._in_trailer:
                break
            size = _SIZE.fullmatch(buffer, at, end)
            if not size:
                raise Malformed("one of its chunks does not tell its size")
            at = end + 2
            self._left = int(size[1], 16)
            self._in_trailer = self._left == 0
        self._buffer = buffer[at:]
        if self._in_trailer:
            self._take_trailer()
        elif not self._left and not self._chunk_ends and len(self._buffer) > _SIZE_LINE_BYTES:
            raise Malformed("one of its chunks does not tell its size")
        return b"".join(pieces)

    def _take_trailer(self) -> None:
        while (end := self._buffer.find(b"\r\n")) >= 0:
            line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
            if not line:
                self.over = True
                return
            self._fields([line])
        if len(self._buffer) > _HEAD_BYTES:
            raise Malformed("its trailer is too long")

    def _receive(self, ended: HttpError | None) -> None:
        """More bytes into the buffer; at the connection's end what is given is raised, else Truncated."""
        try:
            data = self._connection.receive(self._check)
        except OSError as error:
            if isinstance(ended, Unreachable):
                raise Unreachable(
                    f"the connection broke: {error.strerror or type(error).__name__}"
                ) from error
            raise Truncated("the connection broke") from error
        if not data:
            raise ended or Truncated("the connection was closed in the middle of it")
        self._buffer += data


class _EndOfBody(HttpError):
    """The connection's end, where that is the body's."""
