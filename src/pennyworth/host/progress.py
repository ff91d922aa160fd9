"""Prints progress to standard error, with the time of each step. Standard output is for results."""

import codecs
import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_unfinished = False
"""Whether the terminal's last line announces a step, to be replaced by its result."""

_PLAIN = {"✓": "+", "✗": "x", "·": "-", "…": "...", "→": "->", "⚠": "!", "─": "-", "│": "|"}
"""What stands for our own marks where they can't be shown. For anything else: a question mark."""


def show_anything() -> None:
    """Replace what the terminal or pipe can't show, such as a check mark in Latin-1, instead of failing."""

    def replace(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        lost = error.object[error.start : error.end]
        return "".join(_PLAIN.get(character, "?") for character in lost), error.end

    codecs.register_error("pennyworth", replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="pennyworth")


def say(text: str, *, replace: bool = False) -> None:
    """Print a line at once.

    Args:
        text: the line.
        replace: whether it replaces an announcement in the terminal's last line.
    """
    _print(text, replace=replace)


def announce(text: str) -> None:
    """Print what is in progress. On a terminal, the next announcement or result replaces the line."""
    _print(text, unfinished=sys.stderr.isatty(), replace=True)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Announce a step, and print how long it took when the block ends.

    Args:
        title: what the step does.
    Yields:
        a function that adds a detail to the final line, such as a version or a size.
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
    """Write a line below an announcement, or replace it."""
    global _unfinished
    before = ("\r\033[K" if replace else "\n") if _unfinished else ""
    print(f"{before}{line}", end="" if unfinished else "\n", file=sys.stderr, flush=True)
    _unfinished = unfinished
