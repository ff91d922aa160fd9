"""Lines of the function's log, as people read them. Standard library only.

The gateway writes JSON lines (pennyworth/gateway/log.py); Lambda and programs write others.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_LONGEST = 80
_LONGEST_TEXT = 1000
_CLOCK = "%H:%M:%S"
_DAY_AND_CLOCK = "%Y-%m-%d %H:%M:%S"

_ROUTINE = re.compile(r"(INIT_START|START|END|REPORT|XRAY|EXTENSION)\b")
"""What Lambda writes around each call. It says nothing that a request's own line does not."""
_FAILED = re.compile(r"(?i)error|exception|timed out|fatal|killed|out of memory")
"""What marks a plain line as an error."""
_ERROR_STATUS = 500
_KNOWN = frozenset({"time", "level", "message", "exception"})
"""Fields of a line that is not about a request, with places of their own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which lines to show."""

    status: str = ""
    """A status such as 404, or a class of them such as 5xx."""
    model: str = ""
    errors: bool = False
    """Only failures: responses of 500 and above, errors, and what Lambda says of a crash."""

    def shows(self, line: str) -> bool:
        """Check whether to show a line."""
        told = _read(line)
        if told is None:
            plain = not self.status and not self.model and not _ROUTINE.match(line)
            return plain and (not self.errors or bool(_FAILED.search(line)))
        if self.status and not re.fullmatch(self.status.replace("x", r"\d"), str(told.get("status", ""))):
            return False
        if self.model and told.get("model") != self.model:
            return False
        return not self.errors or _is_failure(told)


def describe_line(line: str, *, day: bool = False) -> str:
    """Describe any line of the function's log.

    Args:
        line: the line, without its end.
        day: whether to show the day, not only the time.
    """
    if text := describe_request(line, day=day):
        return text
    told = _read(line)
    if told is None:
        return _clean(line.rstrip(), _LONGEST_TEXT)
    facts = [f"{name}={_clean(value)}" for name, value in told.items() if name not in _KNOWN]
    words = [
        _tell_time(told, day=day),
        str(told.get("level", "")),
        _clean(told.get("message", ""), _LONGEST_TEXT),
    ]
    exceptions = told.get("exception") or ()
    more = [_clean(one, _LONGEST_TEXT) for one in exceptions] if isinstance(exceptions, list) else []
    return "\n    ".join(("  ".join(filter(None, (*words, *facts))), *more))


def describe_request(line: str, *, day: bool = False) -> str | None:
    """Describe a request: time, method, path, model, status, milliseconds, and tokens and error if there are any.

    Args:
        line: a line of the function's log.
        day: whether to show the day, not only the time.
    Returns:
        the description; None if the line is not about a request.
    """
    try:
        told = json.loads(line)
        if told["message"] != "request":
            return None
        took = f"{told['ms']:.0f} ms"
        words = (f"{told['method']:4}", told["path"], told.get("model") or "-", told["status"])
        at = _tell_time(told, day=day)
    except (ValueError, KeyError, TypeError):  # Lambda's own lines, and a program's plain text
        return None
    more = filter(None, (_tell_tokens(told.get("usage")), told.get("error")))
    return "  ".join((at, *map(_clean, words), took, *map(_clean, more)))


def _tell_time(told: Mapping[str, Any], *, day: bool) -> str:
    try:
        at = datetime.fromisoformat(told["time"])
    except (KeyError, TypeError, ValueError):
        return ""
    return f"{at.astimezone():{_DAY_AND_CLOCK if day else _CLOCK}}"


def _tell_tokens(usage: Any) -> str:
    """Say how many tokens went in and came out, such as 12+8 tokens; empty if that is unknown."""
    if not isinstance(usage, Mapping):
        return ""
    taken, given = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return f"{taken or 0}+{given or 0} tokens" if taken or given else ""


def _read(line: str) -> Mapping[str, Any] | None:
    """Read a line of the gateway's; None if it is another's."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) and "message" in told else None


def _is_failure(told: Mapping[str, Any]) -> bool:
    status = told.get("status")
    return told.get("level") == "error" or (isinstance(status, int) and status >= _ERROR_STATUS)


def _clean(word: Any, longest: int = _LONGEST) -> str:
    """Return a caller's word without anything that a terminal would act on."""
    text = "".join(character if character.isprintable() else "?" for character in str(word))
    return text if len(text) <= longest else f"{text[:longest]}…"
