"""Server-sent events, told apart: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import json
import re

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANK_LINES = (b"\n\n", b"\n\r\n")
_UNUSED_LINE = re.compile(rb"^(?:id|retry):?[^\n]*\n", re.MULTILINE)


def split_events(data: bytes) -> tuple[bytes, bytes]:
    """The whole events at the beginning of some bytes, and the rest: what follows the last blank line.

    Args:
        data: lines that end in LF or in CR LF.
    """
    if data.endswith(b"\n\n"):
        return data, b""
    end = max((data.rfind(blank) + len(blank) for blank in _BLANK_LINES if blank in data), default=0)
    return data[:end], data[end:]


class EventReader:
    """Makes whole events of a stream's bytes, however they are cut, their lines ended by LF alone.

    The standard has lines end in CR LF, LF or CR, and a byte order mark before the first.
    """

    def __init__(self) -> None:
        self.rest = b""
        """What has come behind the last whole event."""
        self._begun = False
        self._after_cr = False
        self._is_document = False

    def feed(self, data: bytes) -> bytes:
        """The whole events that more bytes complete, if any."""
        if self._after_cr or b"\r" in data:
            data = self._end_lines(data)
        if self._begun and not self.rest and data.endswith(b"\n\n"):
            return data
        data = self.rest + data
        if not self._begun:
            data = self._begin(data)
        if not self._begun or self._is_document:
            self.rest = data
            return b""
        whole, self.rest = split_events(data)
        return whole

    def _begin(self, data: bytes) -> bytes:
        """Look at the first bytes, as soon as they tell whether these are events."""
        if len(data) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(data):
            return data
        data = data.removeprefix(_BYTE_ORDER_MARK)
        first = data.lstrip()[:1]
        self._begun = bool(first)
        # no field of an event begins so: it is JSON, which may have blank lines
        self._is_document = first in (b"{", b"[")
        return data

    def _end_lines(self, data: bytes) -> bytes:
        if self._after_cr:  # it has been taken for an end, so that no event waits for what follows it
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def close_event(rest: bytes) -> bytes:
    """What follows a stream's last blank line as an event, where it is whole; nothing where it was cut."""
    lines = [line[5:].strip() for line in rest.splitlines() if line.startswith(b"data:")]
    data = b"\n".join(lines)
    if data != b"[DONE]":
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            return b""
    return rest.rstrip() + b"\n\n"


def drop_unused_lines(events: bytes) -> bytes:
    """Whole events without `id` and `retry`, which are for streams that are resumed, as none of the APIs' are.

    OpenAI's SDK takes an event that has one of them and no data for a broken one.
    """
    if b"id:" not in events and b"retry:" not in events:
        return events
    return _UNUSED_LINE.sub(b"", events)
