"""Progress lines with the time that each step took. Standard error, so that standard output stays data."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Print a line at once."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Announce a step, then how long it took.

    Args:
        title: what is done, as a person would say it.
    Yields:
        a function that adds a detail to the closing line, such as a version or a size.
    """
    details: list[str] = []
    interactive = sys.stderr.isatty()
    began = time.monotonic()
    print(f"  · {title} ...", end="" if interactive else "\n", file=sys.stderr, flush=True)
    mark = "✗"
    try:
        yield details.append
        mark = "✓"
    finally:
        tail = f" ({', '.join(details)})" if details else ""
        line = f"  {mark} {title}{tail} {time.monotonic() - began:.1f} s"
        print(f"\r\033[K{line}" if interactive else line, file=sys.stderr, flush=True)
