"""What a step tells GitHub: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands.

Away from GitHub the same lines are merely printed, and outputs and summaries go nowhere.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pennyworth.host.errors import OperationFailed


def required(environ: Mapping[str, str], name: str) -> str:
    """A setting that the step can't do without.

    Raises:
        OperationFailed: it is missing or empty.
    """
    if value := environ.get(name, "").strip():
        return value
    raise OperationFailed(
        f"{name} is not set",
        f"Set {name} in the repository under Settings → Secrets and variables → Actions. Then run this again.",
    )


def number(environ: Mapping[str, str], name: str, default: float) -> float:
    """A setting that is a number, not below zero.

    Raises:
        OperationFailed: it is none.
    """
    given = environ.get(name, "").strip()
    try:
        value = float(given or default)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise OperationFailed(f"{name} is {given!r}", "It is a number, 0 or more.")
    return value


def asked(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A setting that is true or false.

    Raises:
        OperationFailed: it is neither.
    """
    value = environ.get(name, "")
    if value not in {"", "true", "false"}:
        raise OperationFailed(f"{name} is neither true nor false", f"It is {value!r}.")
    return value == "true" if value else default


def duration(seconds: float) -> str:
    """How long something took, for a person."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def say(text: str) -> None:
    """Print a line at once, in order with what programs print that a step runs."""
    print(text, flush=True)


def error(title: str, message: str, file: str = "", line: int | None = None) -> None:
    """Show an error on the run's page.

    Args:
        title: what went wrong, in few words.
        message: more of it.
        file: the file that it is about, where GitHub shows it, too; relative to the repository.
        line: the line in it, counted from 1.
    """
    _annotate("error", title, message, file, line)


def warning(title: str, message: str, file: str = "", line: int | None = None) -> None:
    """Show a warning on the run's page. See `error`."""
    _annotate("warning", title, message, file, line)


def _annotate(level: str, title: str, message: str, file: str, line: int | None) -> None:
    properties = {"title": title, "file": file, "line": str(line or "")}
    given = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items() if value)
    say(f"::{level} {given}::{_escaped(message)}")


def mask(value: str) -> None:
    """Have a value, each of its lines, replaced by *** in everything that the job prints from here on."""
    for line in value.splitlines():
        if line.strip():
            say(f"::add-mask::{_escaped(line.strip())}")


@contextmanager
def group(title: str) -> Iterator[None]:
    """Fold what is printed meanwhile under a title."""
    say(f"::group::{title}")
    try:
        yield
    finally:
        say("::endgroup::")


def output(name: str, value: str) -> None:
    """Set one of the step's outputs, a single line."""
    _append("GITHUB_OUTPUT", f"{name}={value}\n")


def summary(markdown: str) -> None:
    """Add a paragraph to the job's summary, on the run's page."""
    _append("GITHUB_STEP_SUMMARY", f"{markdown.rstrip()}\n\n")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    return "\n".join(_row(cells) for cells in (head, ("---",) * len(head), *rows))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _escaped(text: str, more: str = "") -> str:
    """Percent-encode what would end a command's line or one of its properties."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
