"""Events out of bytes, as the standard reads them: however they are cut, whatever ends their lines."""

import pytest

from pennyworth.gateway.events import EventReader

STREAM = 'data: {"a": "é\\r"}\n\n: comment\n\nevent: x\ndata: {}\n\ndata: [DONE]\n\n'.encode()
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(stream: bytes, size: int) -> tuple[list[bytes], bytes]:
    reader = EventReader()
    events = [reader.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    return [whole for whole in events if whole], reader.rest


@pytest.mark.parametrize("mark", [b"", BYTE_ORDER_MARK])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 1000])
def test_lines_end_in_three_ways_and_a_mark_is_left_out(size: int, end: bytes, mark: bytes) -> None:
    events, rest = read(mark + STREAM.replace(b"\n", end), size)
    assert b"".join(events) == STREAM
    assert not rest.strip()
    assert all(whole.endswith(b"\n\n") for whole in events)


def test_ends_may_change_within_a_stream() -> None:
    events, rest = read(b"data: 1\r\rdata: 2\n\r\ndata: 3\r\n\ndata: 4\r\n\r\n", 1)
    assert (b"".join(events), rest) == (b"data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n", b"")


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_no_event_waits_for_the_next(end: bytes) -> None:
    reader = EventReader()
    assert reader.feed(b"data: 1" + end) == b"data: 1\n\n"
    assert reader.feed(b"data: 2" + end) == b"data: 2\n\n"


def test_a_mark_further_on_is_content() -> None:
    stream = b"data: 1\n\n" + BYTE_ORDER_MARK + b"data: 2\n\n"
    assert b"".join(read(stream, 4)[0]) == stream


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("before", [b"", BYTE_ORDER_MARK, b"\n\n ", b"\r\n"])
def test_a_document_is_no_event(before: bytes, size: int) -> None:
    document = b'{"error":\n\n{"message": "no credits"}}\n\n'
    events, rest = read(before + document, size)
    assert (events, rest.strip()) == ([], document.strip())
