"""Converts values and comma-separated strings to lists."""

from typing import Any


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, any other value in a list, and an empty list for None."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def split_list(text: str) -> list[str]:
    """Split a comma-separated list. Strips spaces and drops empty entries."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]
