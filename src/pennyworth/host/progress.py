"""Progress lines with the time that each step took. Standard error, so that standard output stays data."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_unfinished = False
"""Whether the terminal's last line announces a step and waits to be replaced by its result."""


def say(text: str, *, replace: bool = False) -> None:
    """Print a line at once.

    Args:
        text: the line.
        replace: whether it takes the place of an announcement that still stands there.
    """
    _print(text, replace=replace)


def announce(text: str) -> None:
    """Say what is under way. On a terminal the line takes the place of the last such, until its result does."""
    _print(text, unfinished=sys.stderr.isatty(), replace=True)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Announce a step, then how long it took.

    Args:
        title: what is done, as a person would say it.
    Yields:
        a function that adds a detail to the closing line, such as a version or a size.
    """
    details: list[str] = []
    began = time.monotonic()
    _print(f"  · {title} ...", unfinished=sys.stderr.isatty())
    mark = "✗"
    try:
        yield details.append
        mark = "✓"
    finally:
        tail = f" ({', '.join(details)})" if details else ""
        _print(f"  {mark} {title}{tail} {time.monotonic() - began:.1f} s", replace=True)


def _print(line: str, *, unfinished: bool = False, replace: bool = False) -> None:
    """Write a line below, or in place of, an announcement that still stands there."""
    global _unfinished
    before = ("\r\033[K" if replace else "\n") if _unfinished else ""
    print(f"{before}{line}", end="" if unfinished else "\n", file=sys.stderr, flush=True)
    _unfinished = unfinished
