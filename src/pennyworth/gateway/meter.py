"""Reads what an upstream says of the tokens it used, from bytes on their way to the client that are never changed."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pennyworth.gateway.events import split_events
from pennyworth.gateway.outcome import Usage

# Within a string a quote is escaped, so this finds names of fields alone.
_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
_LONGEST_EVENT_BYTES = 4 * 1024 * 1024
_DECODER = json.JSONDecoder()


def read_usage(content: bytes | memoryview) -> Usage | None:
    """The last usage that a JSON document or an event tells; None where it tells none."""
    usage = None
    for found in _USAGE.finditer(content):
        try:
            text = bytes(content[found.end() : found.end() + 4096]).decode(errors="replace")
            document, _ = _DECODER.raw_decode(text)
        except ValueError:
            continue
        usage = _numbers(document) or usage
    return usage


def _numbers(document: Mapping[str, Any]) -> Usage:
    """All counts, those of `..._details` by both names."""
    counts: Usage = {}
    for name, value in document.items():
        if isinstance(value, int) and not isinstance(value, bool):
            counts[name] = value
        elif isinstance(value, dict) and name.endswith("_details"):
            counts |= {f"{name}.{key}": count for key, count in _numbers(value).items() if count}
    return counts


class StreamMeter:
    """Looks at a stream's events, whole ones only, however they are cut into chunks."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._rest = b""

    def see(self, chunk: bytes) -> None:
        """Look at a chunk."""
        whole, self._rest = split_events(self._rest + chunk)
        if len(self._rest) > _LONGEST_EVENT_BYTES:
            self._rest = b""
        if b'"usage"' in whole:
            # what an event leaves out, an earlier one has told
            self.usage = {**(self.usage or {}), **(read_usage(whole) or {})} or None
