"""Keeps secrets out of what is shown: GitHub masks them in logs and summaries, and in no comment."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

PUBLIC: Mapping[str, Callable[[Any], bool]] = {"public": lambda _: True}
"""Marks a dataclass's field that holds what stands in the template anyway, and in the repository with it."""

NAMES: Mapping[str, Callable[[Any], bool]] = {"public": str.isidentifier}
"""Marks one of which that is true of logical ids alone: whatever else it holds may be a parameter's value."""

_HIDDEN = "***"

T = TypeVar("T")


def masked(value: T, secrets: Iterable[str]) -> T:
    """A value with *** in place of every secret, wherever it stands in its texts.

    Only values are looked through, not the prose that they are shown in: a stack may be called what everybody calls it,
    and a gap in a sentence that all have would tell the word.

    Args:
        value: a dataclass, a text, or lists, tuples and dictionaries of them.
        secrets: what must not be shown.
    """
    # the longest first: a domain may stand in a name, and a name in a domain
    hidden = sorted({secret for secret in secrets if secret.strip()}, key=len, reverse=True)
    found: T = _masked(value, hidden)
    return found


def _never(_: Any) -> bool:
    return False


def _masked(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, _HIDDEN)
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = {
            entry.name: _masked(getattr(value, entry.name), secrets)
            for entry in dataclasses.fields(value)
            if entry.init and not entry.metadata.get("public", _never)(getattr(value, entry.name))
        }
        return dataclasses.replace(value, **shown)
    if isinstance(value, Mapping):
        return {key: _masked(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_masked(item, secrets) for item in value)
    return value
