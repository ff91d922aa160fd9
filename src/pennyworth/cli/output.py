"""What commands print: facts for programs as JSON on standard output, and failures in one form."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn, TextIO

from pennyworth.host.errors import OperationFailed
from pennyworth.host.progress import say


class Misused(OperationFailed):
    """The command was called wrongly; the message says how to call it."""


class Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage as JSON too, if JSON is asked for."""

    words: tuple[str, ...] = ()
    """The words of the command line."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the mistake. Exits with status 2."""
        if "--json" in Parser.words:
            command = next((word for word in Parser.words if not word.startswith("-")), "")
            print_json(_failure(command, message, 2))
        super().error(message)


def json_option(parser: argparse._ActionsContainer, what: str = "the result") -> None:
    """Add --json.

    Args:
        parser: the parser, or a group of its options.
        what: what is printed as JSON.
    """
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON, and errors too")


_results: TextIO | None = None
"""Standard output, while `results_only` keeps everything but results from it."""


@contextmanager
def results_only(wanted: bool) -> Iterator[None]:
    """Send what the block prints to standard error, except what `print_json` and `print_result` print.

    Args:
        wanted: whether to. Without, the block prints as usual.
    """
    global _results
    if not wanted:
        yield
        return
    _results = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _results = None


def print_result(text: str) -> None:
    """Print a result on standard output, at once."""
    print(text, file=_results or sys.stdout, flush=True)


def print_json(document: Any) -> None:
    """Print a document on standard output."""
    print_result(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def report_failure(command: str, failure: Exception, options: argparse.Namespace) -> int:
    """Print why a command failed, and with --json an error object as well.

    Args:
        command: the command's name.
        failure: what it raised.
        options: its options.
    Returns:
        the exit status.
    Raises:
        Exception: the failure, if it is a mistake in this program.
    """
    text = _explain(failure)
    if text is None:
        raise failure
    status = 2 if isinstance(failure, Misused) else int(getattr(options, "failed", 1))
    if getattr(options, "json", False):
        print_json(_failure(command, text, status))
    for line in text.splitlines() if isinstance(failure, Misused) else [text]:
        say(f"pennyworth {command}: {line}")
    return status


def _explain(failure: Exception) -> str | None:
    """Return what to tell the user; None if the failure is a mistake in this program."""
    if isinstance(failure, OperationFailed):
        return str(failure)
    aws = sys.modules.get("pennyworth.aws.errors")  # without it, nothing has called AWS
    if aws and isinstance(failure, aws.AWS_FAILURES):
        advice = f". {aws.LOG_IN}" if aws.lacks_credentials(failure) else ""
        return f"AWS returned an error: {str(failure).rstrip('.')}{advice}"
    return None


def _failure(command: str, message: str, status: int) -> dict[str, Any]:
    return {"error": {"command": command, "message": message, "exit_status": status}}
