"""Describes requests, from the lines of the function's log. Shows no key and no content: the log has none."""

import json
from datetime import datetime
from typing import Any

_LONGEST = 80


def describe_request(line: str) -> str | None:
    """Return a line that describes a request: time, method, path, model, status and milliseconds.

    Args:
        line: a line of the function's log.
    Returns:
        the description; None if the line is not about a request.
    """
    try:
        told = json.loads(line)
        if told["message"] != "request":
            return None
        at = datetime.fromisoformat(told["time"]).astimezone()
        took = f"{told['ms']:.0f} ms"
        words = (f"{told['method']:4}", told["path"], told.get("model") or "-", told["status"])
    except (ValueError, KeyError, TypeError):  # Lambda's own lines, and a program's plain text
        return None
    return "  ".join((f"{at:%H:%M:%S}", *map(_clean, words), took))


def _clean(word: Any) -> str:
    """Return a caller's word without anything that a terminal would act on."""
    text = "".join(character if character.isprintable() else "?" for character in str(word))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
