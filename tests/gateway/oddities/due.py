"""The answer that an upstream owes to a request, and what of it can be put on the wire in which framing."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from tests.gateway.providers.wires import Answer


class Speaks(Protocol):
    """What is asked of a wire format."""

    stream_type: str

    def whole(self, answer: Answer) -> bytes: ...

    def events(self, answer: Answer) -> Iterable[bytes]: ...


def text_for(mark: str) -> str:
    """The text of the answer to the caller with that mark."""
    return "".join(_words(mark))


def _words(mark: str) -> tuple[str, ...]:
    return tuple(f"{mark} {word} " for word in ("first", "second", "third"))


@dataclass(frozen=True)
class Due:
    """The answer to the caller with a mark: the mark is in each of its pieces."""

    mark: str
    wire: Speaks
    streamed: bool

    @cached_property
    def pieces(self) -> list[bytes]:
        """The body: a stream's events, or a document in two halves."""
        answer = Answer(text=_words(self.mark))
        if self.streamed:
            return list(self.wire.events(answer))
        body = self.wire.whole(answer)
        return [body[: len(body) // 2], body[len(body) // 2 :]]

    @property
    def body(self) -> bytes:
        """The body in one piece."""
        return b"".join(self.pieces)

    @property
    def size(self) -> int:
        """The body's length."""
        return len(self.body)

    def head(self, *lines: str | bytes, first: str = "HTTP/1.1 200 OK", end: str = "\r\n") -> bytes:
        """Status, content type, the caller's mark, and further lines as they are given."""
        kind = self.wire.stream_type if self.streamed else "application/json"
        whole = [first, f"Content-Type: {kind}", f"X-Mark: {self.mark}", *lines, "", ""]
        return end.encode().join(
            line if isinstance(line, bytes) else line.encode("latin-1") for line in whole
        )

    def with_length(self, *lines: str | bytes, first: str = "HTTP/1.1 200 OK") -> bytes:
        """The whole answer, its end told by Content-Length."""
        return self.head(*lines, f"Content-Length: {self.size}", first=first) + self.body

    def in_chunks(
        self, *lines: str | bytes, first: str = "HTTP/1.1 200 OK", last: bytes = b"0\r\n\r\n"
    ) -> bytes:
        """The whole answer, its end told by the last chunk."""
        head = self.head(*lines, "Transfer-Encoding: chunked", first=first)
        return head + b"".join(map(chunk, self.pieces)) + last

    def usual(self, *lines: str | bytes, first: str = "HTTP/1.1 200 OK") -> bytes:
        """The whole answer as servers send it: streams in chunks, documents with their length."""
        return (self.in_chunks if self.streamed else self.with_length)(*lines, first=first)

    def failure(self, status: str, *lines: str, filler: int = 0) -> bytes:
        """An error that names the mark."""
        body = b'{"error": {"message": "%b is refused %b"}}' % (
            self.mark.encode(),
            self.mark.encode() * (filler // 15),
        )
        head = [
            f"HTTP/1.1 {status}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *lines,
            "",
            "",
        ]
        return "\r\n".join(head).encode() + body


def chunk(data: bytes, size: str | None = None) -> bytes:
    """Data as a chunk, which may say another size."""
    return (f"{len(data):x}" if size is None else size).encode("latin-1") + b"\r\n" + data + b"\r\n"
