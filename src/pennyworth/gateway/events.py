"""Server-sent events, told apart: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import json
import re

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
