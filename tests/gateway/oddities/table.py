"""Ways in which an upstream's HTTP exchange can be odd, each as the steps that the upstream plays for one request.

Afterwards the upstream keeps its connection open wherever that is possible, and answers whatever follows normally.
"""

import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from tests.gateway.oddities.due import Due, chunk


class End(Enum):
    """How a connection ends."""

    CLOSE = "close"
    RESET = "reset"


Step = bytes | float | End
"""Bytes to send, seconds to wait, or the connection's end."""

DEADLINE_SECONDS = 1.5
"""How long a model waits that may fail."""

_PAST = DEADLINE_SECONDS + 0.2


@dataclass(frozen=True)
class Oddity:
    """Something odd that an upstream does."""

    name: str
    play: Callable[[Due], Iterable[Step]]
    legal: bool = False
    """Whether HTTP allows it, so that the caller must get the answer."""
    late: bool = False
    """Whether more comes soon after the answer, which nobody could tell from an answer to what is asked meanwhile."""
    hangs_up: float | None = None
    """Seconds after which a caller may hang up in the middle; None: there is no middle."""
    when: Literal["request", "head", "accept"] = "request"
    """What the upstream waits for."""
    swallows: bool = False
    """Whether the request that was answered before it came gets no further answer."""
    forms: tuple[Literal["whole", "streamed"], ...] = ("whole", "streamed")
    padding: int = 0
    """Bytes that the request has beside its question."""

    def __str__(self) -> str:
        return self.name


EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


def _informational() -> Iterable[Oddity]:
    yield Oddity(
        "early-hints-and-later-the-answer",
        lambda due: [EARLY_HINTS, 0.3, due.usual()],
        legal=True,
        hangs_up=0.15,
    )
    yield Oddity("early-hints-with-the-answer", lambda due: [EARLY_HINTS + due.usual()], legal=True)
    yield Oddity(
        "three-informational-ones",
        lambda due: [PROCESSING + EARLY_HINTS, 0.05, EARLY_HINTS, 0.1, due.usual()],
        legal=True,
        hangs_up=0.1,
    )
    yield Oddity(
        "continue-unasked", lambda due: [b"HTTP/1.1 100 Continue\r\n\r\n", 0.1, due.usual()], legal=True
    )
    yield Oddity("fifty-informational-ones", lambda due: [EARLY_HINTS * 50, due.usual()], legal=True)
    yield Oddity(
        "informational-ones-past-the-deadline",
        lambda due: [*[EARLY_HINTS, 0.1] * round(_PAST * 10), due.usual()],
        hangs_up=0.5,
    )
    yield Oddity(
        "early-hints-and-the-answer-past-the-deadline",
        lambda due: [EARLY_HINTS, _PAST, due.usual()],
        hangs_up=0.3,
    )
    for name, line in {
        "length": b"Content-Length: 5",
        "a-length-of-zero": b"Content-Length: 0",
        "chunks": b"Transfer-Encoding: chunked",
        "close": b"Connection: close",
    }.items():
        hints = EARLY_HINTS[:-2] + line + b"\r\n\r\n"
        yield Oddity(f"early-hints-that-tell-{name}", lambda due, hints=hints: [hints, 0.2, due.usual()])
    yield Oddity(
        "early-hints-with-a-body",
        lambda due: [
            EARLY_HINTS[:-2] + b"Content-Length: %d\r\n\r\n" % due.size + due.body,
            0.1,
            due.usual(),
        ],
    )
    yield Oddity(
        "an-informational-one-that-nobody-knows", lambda due: [b"HTTP/1.1 199 Odd\r\n\r\n", 0.1, due.usual()]
    )
    yield Oddity("early-hints-behind-the-answer", lambda due: [due.usual() + EARLY_HINTS])
    yield Oddity("early-hints-soon-after-the-answer", lambda due: [due.usual(), 0.05, EARLY_HINTS], late=True)
    yield Oddity(
        "switching-protocols",
        lambda due: [
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
            0.1,
            due.usual(),
        ],
    )
    yield Oddity("switching-to-nothing", lambda due: [b"HTTP/1.1 101 Odd\r\n\r\n" + due.usual()])


def _more_than_was_asked() -> Iterable[Oddity]:
    yield Oddity("a-second-answer-right-behind", lambda due: [due.usual() * 2])
    yield Oddity("a-second-answer-soon-after", lambda due: [due.usual(), 0.05, due.usual()], late=True)
    yield Oddity(
        "half-a-second-answer-right-behind",
        lambda due: [due.usual() + due.with_length()[:-20], 0.2, due.body[-20:]],
    )
    yield Oddity("an-error-right-behind", lambda due: [due.usual() + due.failure("500 Odd")])
    for framing in ("length", "chunks"):
        for name, rest in {"rubbish": b"%b rubbish", "a-line-break": b"\r\n"}.items():
            for moment in ("right-behind", "soon-after"):

                def play(
                    due: Due, framing: str = framing, rest: bytes = rest, moment: str = moment
                ) -> list[Step]:
                    answer = due.with_length() if framing == "length" else due.in_chunks()
                    more = rest.replace(b"%b", due.mark.encode())
                    return [answer + more] if moment == "right-behind" else [answer, 0.05, more]

                late = moment == "soon-after"
                yield Oddity(f"{name}-{moment}-{framing}", play, late=late)
    yield Oddity("an-error-and-rubbish", lambda due: [due.failure("500 Odd") + due.mark.encode()])
    yield Oddity("an-error-and-a-second-answer", lambda due: [due.failure("429 Odd") + due.usual()])
    yield Oddity(
        "early-hints-and-an-error", lambda due: [EARLY_HINTS, 0.2, due.failure("429 Odd")], hangs_up=0.1
    )
    yield Oddity("a-large-error", lambda due: [due.failure("400 Odd", filler=400_000)])
    yield Oddity(
        "a-redirect-with-a-body", lambda due: [due.failure("307 Odd", "Location: /elsewhere", filler=4000)]
    )
    yield Oddity(
        "events-behind-the-last-one",
        lambda due: [due.in_chunks(last=b""), *[chunk(piece) for piece in due.pieces], 0.3, b"0\r\n\r\n"],
        forms=("streamed",),
    )


def _chunks() -> Iterable[Oddity]:
    def sized(size: Callable[[bytes], str]) -> Callable[[Due], list[Step]]:
        return lambda due: [
            due.head("Transfer-Encoding: chunked"),
            b"".join(chunk(piece, size(piece)) for piece in due.pieces) + b"0\r\n\r\n",
        ]

    for name, size in {
        "smaller-than-the-chunk": lambda data: f"{len(data) - 5:x}",
        "larger-than-the-chunk": lambda data: f"{len(data) + 5:x}",
        "negative": lambda data: f"-{len(data):x}",
        "with-an-underscore": lambda data: f"0_{len(data):x}",
        "with-0x": lambda data: f"0x{len(data):x}",
        "with-a-plus": lambda data: f"+{len(data):x}",
        "of-fifteen-digits": lambda data: "f" * 15,
        "of-forty-digits": lambda data: "f" * 40,
        "with-a-space-before": lambda data: f" {len(data):x}",
        "of-no-digits": lambda data: "",
        "of-other-letters": lambda data: "zz",
        "with-a-bare-carriage-return": lambda data: f"{len(data):x}\rX",
        "with-a-very-long-extension": lambda data: f"{len(data):x};{'a' * 70_000}",
        "with-a-line-feed-in-its-extension": lambda data: f"{len(data):x};a\nb",
    }.items():
        yield Oddity(f"a-chunk-size-{name}", sized(size))
    yield Oddity("chunk-extensions", sized(lambda data: f'{len(data):x};name="a value"'), legal=True)
    yield Oddity("chunk-sizes-with-zeros", sized(lambda data: f"000{len(data):X}"), legal=True)
    yield Oddity(
        "a-chunk-for-each-byte",
        lambda due: [
            due.head("Transfer-Encoding: chunked")
            + b"".join(chunk(due.body[at : at + 1]) for at in range(due.size))
            + b"0\r\n\r\n"
        ],
        legal=True,
    )
    yield Oddity(
        "no-line-break-after-a-chunk",
        lambda due: [
            due.head("Transfer-Encoding: chunked")
            + b"".join(chunk(piece)[:-2] for piece in due.pieces)
            + b"0\r\n\r\n"
        ],
    )
    yield Oddity(
        "chunks-with-bare-line-feeds",
        lambda due: [due.head(), due.in_chunks()[len(due.head()) :].replace(b"\r", b"")],
    )
    yield Oddity("no-last-chunk-and-silence", lambda due: [due.in_chunks(last=b"")], hangs_up=0.5)
    yield Oddity("no-last-chunk-but-a-second-answer", lambda due: [due.in_chunks(last=b"") + due.usual()])
    yield Oddity("half-of-the-last-chunk-and-silence", lambda due: [due.in_chunks(last=b"0\r\n")])
    yield Oddity("a-late-last-chunk", lambda due: [due.in_chunks(last=b""), 0.3, b"0\r\n\r\n"], legal=True)
    yield Oddity("trailers", lambda due: [due.in_chunks(last=b"0\r\nX-A: 1\r\nX-B: 2\r\n\r\n")], legal=True)
    yield Oddity("no-end-of-the-trailers", lambda due: [due.in_chunks(last=b"0\r\nX-A: 1\r\n") + due.usual()])
    yield Oddity(
        "trailers-that-tell-a-length",
        lambda due: [due.in_chunks(last=b"0\r\nContent-Length: 15\r\n\r\n") + due.mark.encode()],
    )
    yield Oddity(
        "a-very-long-trailer", lambda due: [due.in_chunks(last=b"0\r\nX-A: %b\r\n\r\n" % (b"a" * 200_000))]
    )
    yield Oddity(
        "a-last-chunk-with-a-body",
        lambda due: [due.in_chunks(last=b"0\r\n" + due.mark.encode() + b"\r\n\r\n")],
    )


def _lengths() -> Iterable[Oddity]:
    for name, value in {
        "a-list-of-two-equal-lengths": lambda size: f"{size}, {size}",
        "a-list-of-two-lengths": lambda size: f"{size}, {size - 9}",
        "a-length-with-a-plus": lambda size: f"+{size}",
        "a-negative-length": lambda size: "-1",
        "a-length-of-letters": lambda size: "abc",
        "a-length-with-letters-behind": lambda size: f"{size}abc",
        "a-length-with-an-underscore": lambda size: f"{size // 10}_{size % 10}",
        "a-length-that-is-a-fraction": lambda size: f"{size}.0",
        "a-length-in-hexadecimal": lambda size: f"0x{size:x}",
        "a-superscript-length": lambda size: "\xb2",
        "an-empty-length": lambda size: "",
        "a-length-of-forty-digits": lambda size: "9" * 40,
        "a-length-shorter-than-the-body": lambda size: str(size - 40),
        "a-length-of-zero": lambda size: "0",
    }.items():
        yield Oddity(
            name, lambda due, value=value: [due.head(f"Content-Length: {value(due.size)}") + due.body]
        )
    yield Oddity(
        "a-length-longer-than-the-body",
        lambda due: [due.head(f"Content-Length: {due.size + 40}") + due.body, 0.3, End.CLOSE],
    )
    yield Oddity(
        "a-length-longer-than-the-body-and-silence",
        lambda due: [due.head(f"Content-Length: {due.size + 40}") + due.body],
        hangs_up=0.5,
    )
    for name, other in {"equal": 0, "different": -9}.items():
        yield Oddity(
            f"two-{name}-lengths",
            lambda due, other=other: [
                due.head(f"Content-Length: {due.size}", f"Content-Length: {due.size + other}") + due.body
            ],
        )
    yield Oddity(
        "a-length-of-the-body-and-chunks", lambda due: [due.in_chunks(f"Content-Length: {due.size}")]
    )
    yield Oddity("a-short-length-and-chunks", lambda due: [due.in_chunks("Content-Length: 5")])
    yield Oddity(
        "chunks-announced-and-a-length-kept", lambda due: [due.with_length("Transfer-Encoding: chunked")]
    )
    yield Oddity(
        "no-length-and-close",
        lambda due: [due.head("Connection: close") + due.body, End.CLOSE],
        legal=True,
    )
    yield Oddity("no-length-and-no-end", lambda due: [due.head() + due.body], hangs_up=0.5)
    yield Oddity(
        "no-length-kept-alive-by-1.0",
        lambda due: [due.head("Connection: keep-alive", first="HTTP/1.0 200 OK") + due.body],
    )
    yield Oddity(
        "chunks-in-1.0", lambda due: [due.in_chunks("Connection: keep-alive", first="HTTP/1.0 200 OK")]
    )
    yield Oddity("a-length-in-1.0", lambda due: [due.with_length(first="HTTP/1.0 200 OK")], legal=True)
    for coding in (
        "gzip, chunked",
        "identity",
        "xchunked",
        "chunked, chunked",
        "chunked;q=1",
        "",
        "chunked, identity",
    ):
        name = coding.replace(", ", "-and-").replace(";", "-") or "nothing"

        def play(due: Due, coding: str = coding) -> list[Step]:
            head = due.head(f"Transfer-Encoding: {coding}")
            body = gzip.compress(due.body) if "gzip" in coding else due.body
            return [head + (chunk(body) + b"0\r\n\r\n" if "chunked" in coding else body)]

        yield Oddity(f"transfer-encoding-{name}", play)
    for status in ("204 No Content", "205 Reset Content", "304 Not Modified"):
        yield Oddity(
            f"{status[:3]}-with-a-body",
            lambda due, status=status: [due.with_length(first=f"HTTP/1.1 {status}")],
        )
    yield Oddity("204-with-chunks", lambda due: [due.in_chunks(first="HTTP/1.1 204 No Content")])
    yield Oddity(
        "rubbish-behind-what-is-compressed",
        lambda due: [
            due.head("Content-Encoding: gzip", f"Content-Length: {len(gzip.compress(due.body)) + 15}")
            + gzip.compress(due.body)
            + due.mark.encode()
        ],
    )


def _heads() -> Iterable[Oddity]:
    for name, first in {
        "no-reason": "HTTP/1.1 200 ",
        "no-reason-and-no-space": "HTTP/1.1 200",
    }.items():
        yield Oddity(
            f"a-status-line-with-{name}", lambda due, first=first: [due.usual(first=first)], legal=True
        )
    for name, first in {
        "of-http-2": "HTTP/2 200 OK",
        "of-icy": "ICY 200 OK",
        "with-two-digits": "HTTP/1.1 20 OK",
        "with-four-digits": "HTTP/1.1 2000 OK",
        "with-letters": "HTTP/1.1 abc OK",
        "of-status-999": "HTTP/1.1 999 OK",
        "of-status-000": "HTTP/1.1 000 OK",
        "with-two-spaces": "HTTP/1.1  200 OK",
        "with-a-bare-carriage-return": "HTTP/1.1 200 OK\rX-A: 1",
    }.items():
        yield Oddity(f"a-status-line-{name}", lambda due, first=first: [due.usual(first=first)])
    yield Oddity("no-head-at-all", lambda due: [due.body])
    yield Oddity("blank-lines-first", lambda due: [b"\r\n\r\n" + due.usual()])
    yield Oddity(
        "bare-line-feeds", lambda due: [due.head(f"Content-Length: {due.size}", end="\n") + due.body]
    )
    yield Oddity(
        "bare-carriage-returns", lambda due: [due.head(f"Content-Length: {due.size}", end="\r") + due.body]
    )
    for name, line in {
        "a-folded-header": "X-A: 1\r\n  2",
        "a-folded-length": "Content-Length:\r\n 5",
        "a-line-without-a-colon": "rubbish",
        "a-space-before-a-colon": "X-A : 1",
        "a-header-without-a-name": ": 1",
        "a-nul-in-a-header": "X-A: a\0b",
        "letters-beyond-ascii": "X-A: caf\xe9",
        "a-header-of-70000-bytes": f"X-A: {'a' * 70_000}",
        "2000-headers": "\r\n".join(f"X-{number}: {number}" for number in range(2000)),
        "an-upgrade": "Connection: upgrade\r\nUpgrade: h2c",
        "hop-by-hop-headers": "Keep-Alive: timeout=5\r\nTrailers: x\r\nProxy-Authorization: x\r\nTE: trailers",
        "close-that-is-not-done": "Connection: close",
        "a-cookie": "Set-Cookie: a=1\r\nSet-Cookie: b=2",
    }.items():
        yield Oddity(name, lambda due, line=line: [due.usual(line)], legal=name in ("an-upgrade", "a-cookie"))
    yield Oddity(
        "close-that-is-not-done-and-a-second-answer",
        lambda due: [due.usual("Connection: close") + due.usual()],
    )
    yield Oddity(
        "a-space-before-the-length-s-colon", lambda due: [due.head(f"Content-Length : {due.size}") + due.body]
    )
    yield Oddity(
        "a-head-that-comes-a-byte-at-a-time",
        lambda due: (
            [step for byte in due.usual()[:150] for step in (bytes([byte]), 0.001)] + [due.usual()[150:]]
        ),
        legal=True,
    )


def _breaks_and_timing() -> Iterable[Oddity]:
    for end in End:
        yield Oddity(f"{end.value}-before-the-answer", lambda due, end=end: [end])
        yield Oddity(f"{end.value}-in-the-head", lambda due, end=end: [due.usual()[:40], 0.05, end])
        yield Oddity(f"{end.value}-in-the-body", lambda due, end=end: [due.usual()[:-60], 0.05, end])
    yield Oddity(
        "a-pause-in-the-middle",
        lambda due: [due.usual()[:-90], 0.5, due.usual()[-90:]],
        legal=True,
        hangs_up=0.2,
    )
    yield Oddity(
        "a-piece-at-a-time",
        lambda due: [
            due.head("Transfer-Encoding: chunked"),
            *[step for piece in due.pieces for step in (chunk(piece), 0.1)],
            b"0\r\n\r\n",
        ],
        legal=True,
        hangs_up=0.25,
    )
    yield Oddity(
        "the-rest-past-the-deadline", lambda due: [due.usual()[:-90], _PAST, due.usual()[-90:]], hangs_up=0.8
    )
    yield Oddity(
        "the-answer-past-the-deadline-and-a-second-one", lambda due: [_PAST, due.usual() * 2], hangs_up=0.8
    )
    yield Oddity("an-answer-before-the-request", lambda due: [due.usual()], when="accept", swallows=True)
    yield Oddity(
        "an-answer-before-the-request-and-after-it", lambda due: [due.usual()], when="accept", late=True
    )
    yield Oddity(
        "an-answer-to-the-head-alone",
        lambda due: [due.usual(), 0.3],
        when="head",
        padding=6_000_000,
    )
    yield Oddity(
        "early-hints-to-the-head-alone",
        lambda due: [EARLY_HINTS, 0.2, due.usual(), 0.2],
        when="head",
        padding=6_000_000,
    )


OF_EXCHANGES = (*_informational(), *_more_than_was_asked(), *_breaks_and_timing())
"""Those in which what comes, and when, is odd."""

OF_BYTES = (*_chunks(), *_lengths(), *_heads())
"""Those in which something is written oddly."""
