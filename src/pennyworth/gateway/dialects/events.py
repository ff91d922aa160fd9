"""What the dialects' streams have in common: server-sent events whose data is a JSON object."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_BLANK_LINE = re.compile(rb"(?<=\n)\r?\n")
_MODEL = re.compile(rb'("model"\s*:\s*)"(?:[^"\\]|\\.)*"')


def split_at(events: bytes, fails: Callable[[dict[str, Any]], bool]) -> tuple[bytes, bytes | None]:
    """The events before the first whose data tells a failure, and that data; None where there is none.

    Args:
        events: whole ones.
        fails: whether an event's data tells a failure.
    """
    begin = 0
    for blank in _BLANK_LINE.finditer(events):
        lines = events[begin : blank.start()].splitlines()
        data = b"".join(line[5:].strip() for line in lines if line.startswith(b"data:"))
        try:
            document = json.loads(data)
        except ValueError:
            document = None
        if isinstance(document, dict) and fails(document):
            return events[:begin], data
        begin = blank.end()
    return events, None


def named_event(document: Mapping[str, Any]) -> bytes:
    """An event that is named as its data's `type` says."""
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return b"event: %b\ndata: %b\n\n" % (str(document["type"]).encode(), data)


def make_renamer(model: str) -> Callable[[bytes], bytes]:
    """See `Dialect.renamer`."""
    name = json.dumps(model).encode()
    old = new = b""

    def rename(content: bytes) -> bytes:
        nonlocal old, new
        if not old or old not in content:  # else as in the event before, which is quicker than looking for it
            found = _MODEL.search(content)
            if found is None:
                return content
            old, new = found[0], found[1] + name
        return content.replace(old, new)

    return rename
