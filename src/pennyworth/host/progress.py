"""Prints progress to standard error, with the time of each step. Standard output is for results."""

import codecs
import io
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_QUIET_SECONDS = 1.5
_TICK_SECONDS = 0.5

_unfinished = False
"""Whether the terminal's last line announces a step, to be replaced by its result."""
_ticking = False
"""Whether the terminal's last line tells how long a step has taken so far."""
_printed = 0.0
"""When the last line was printed."""
_printing = threading.RLock()


@dataclass(eq=False, slots=True)
class _Step:
    title: str
    note: str = ""
    began: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        return time.monotonic() - self.began


_steps: list[_Step] = []
"""The steps in progress. The last is the innermost."""

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


def note(text: str) -> None:
    """Set what the innermost step is doing. A terminal shows it when the step has been quiet for a while."""
    with _printing:
        if _steps:
            _steps[-1].note = text


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Announce a step, and print how long it took when the block ends.

    On a terminal, a step that prints nothing for up to two seconds shows how long it has taken so far.

    Args:
        title: what the step does.
    Yields:
        a function that adds a detail to the final line, such as a version or a size.
    """
    details: list[str] = []
    current = _Step(title)
    ended = threading.Event()
    with _printing:
        _steps.append(current)
        _print(f"  · {title} ...", unfinished=sys.stderr.isatty())
    if sys.stderr.isatty():
        threading.Thread(target=_tick, args=(current, ended), daemon=True, name="progress").start()
    mark = "✗"
    try:
        yield details.append
        mark = "✓"
    finally:
        ended.set()
        tail = f" ({', '.join(details)})" if details else ""
        with _printing:
            _steps.remove(current)
            _print(f"  {mark} {title}{tail} {current.seconds():.1f} s", replace=True)


def _tick(current: _Step, ended: threading.Event) -> None:
    """Show how long a step has taken, while it is the innermost and prints nothing."""
    global _ticking
    while not ended.wait(_TICK_SECONDS):
        with _printing:
            quiet = _ticking or time.monotonic() - _printed >= _QUIET_SECONDS
            if quiet and not ended.is_set() and _steps[-1:] == [current]:
                doing = f"{current.note}, " if current.note else ""
                line = f"  · {current.title} ... {doing}{current.seconds():.0f} s"
                # a line that wraps could not be replaced
                _print(
                    line[: shutil.get_terminal_size().columns - 1],
                    unfinished=True,
                    replace=True,
                )
                _ticking = True


def _print(line: str, *, unfinished: bool = False, replace: bool = False) -> None:
    """Write a line below an announcement, or replace it."""
    global _unfinished, _ticking, _printed
    with _printing:
        # a line that only told the time so far is of no use later
        before = ("\r\033[K" if replace or _ticking else "\n") if _unfinished else ""
        print(f"{before}{line}", end="" if unfinished else "\n", file=sys.stderr, flush=True)
        _unfinished, _ticking, _printed = unfinished, False, time.monotonic()
