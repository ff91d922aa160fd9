"""Values that come as one or as several, and lists that come as one text."""

from typing import Any


def as_list(value: Any) -> list[Any]:
    """A value that may stand alone or in a list, as a list; empty for None."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def split_list(text: str) -> list[str]:
    """The entries of a comma-separated list, without the space around them and without empty ones."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]
