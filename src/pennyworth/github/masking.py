"""Masks secrets in comments and issues. GitHub itself masks them only in logs and summaries."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

PUBLIC: Mapping[str, Callable[[Any], bool]] = {"public": lambda _: True}
"""Field metadata: the value is in the template, and so in the repository. It is never masked."""

NAMES: Mapping[str, Callable[[Any], bool]] = {"public": str.isidentifier}
"""Field metadata: only logical IDs are public. Any other value may be a parameter's value."""

_HIDDEN = "***"

T = TypeVar("T")


def masked(value: T, secrets: Iterable[str]) -> T:
    """Return a copy of a value with *** in place of every secret.

    Mask only values, not the sentences around them. A secret may be a common word, such as the stack's name
    `endpoint`, and *** in a well-known sentence would reveal it.

    Args:
        value: a dataclass, a string, or lists, tuples and dictionaries of them.
        secrets: the strings to mask.
    """
    # longest first, because one secret may contain another
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
