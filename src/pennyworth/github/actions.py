"""Workflow commands, outputs and summaries of a GitHub Actions step.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands.

Outside GitHub Actions, the commands are only printed, and outputs and summaries are dropped.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pennyworth.host.errors import OperationFailed


def required(environ: Mapping[str, str], name: str) -> str:
    """Return a required environment variable.

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
    """Return an environment variable as a number of 0 or more.

    Args:
        environ: the environment variables.
        name: the variable.
        default: the value if it is missing or empty.
    Raises:
        OperationFailed: it is not a number, or negative.
    """
    given = environ.get(name, "").strip()
    try:
        value = float(given or default)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise OperationFailed(f"{name} is {given!r}", "Set it to a number of 0 or more.")
    return value


def asked(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Return an environment variable that is `true` or `false`.

    Args:
        environ: the environment variables.
        name: the variable.
        default: the value if it is missing or empty.
    Raises:
        OperationFailed: it is neither true nor false.
    """
    value = environ.get(name, "")
    if value not in {"", "true", "false"}:
        raise OperationFailed(
            f"{name} is neither true nor false", f"It is {value!r}. Set it to true or false."
        )
    return value == "true" if value else default


def duration(seconds: float) -> str:
    """Format a number of seconds, such as "2 min 5 s"."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def say(text: str) -> None:
    """Print a line at once, so that it keeps its order with the output of child processes."""
    print(text, flush=True)


def error(title: str, message: str, file: str = "", line: int | None = None) -> None:
    """Show an error on the run's page.

    Args:
        title: what went wrong, in a few words.
        message: the details.
        file: the file to annotate, relative to the repository. Empty: none.
        line: the line in the file, counted from 1.
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
    """Make GitHub replace each line of a value with *** in the job's log from here on. Elsewhere nothing is printed."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return  # a terminal would show the value
    for line in value.splitlines():
        if line.strip():
            say(f"::add-mask::{_escaped(line.strip())}")


@contextmanager
def group(title: str) -> Iterator[None]:
    """Fold everything that the block prints under a title."""
    say(f"::group::{title}")
    try:
        yield
    finally:
        say("::endgroup::")


def output(name: str, value: str) -> None:
    """Set an output of the step to a single line."""
    _append("GITHUB_OUTPUT", f"{name}={value}\n")


def summary(markdown: str) -> None:
    """Add a paragraph to the job summary on the run's page."""
    _append("GITHUB_STEP_SUMMARY", f"{markdown.rstrip()}\n\n")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Format a Markdown table."""
    return "\n".join(_row(cells) for cells in (head, ("---",) * len(head), *rows))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def _escaped(text: str, more: str = "") -> str:
    """Percent-encode characters that would end a command or one of its properties."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
