"""Smoke tests: try an OpenAI-compatible endpoint over the network as its users would. Standard library only.

`run` goes through a table of named checks and returns a result for each. A failure's message says what to do
next, and no message holds the key. Any such endpoint may be tried; what only this project's gateway promises is
asked of others if wished, and skipped where they lack it.
"""

from pennyworth.checks.smoke.checks import CHECKS, EXPECTED, LARGE_BYTES, QUESTION, Check, Trial, unknown
from pennyworth.checks.smoke.endpoint import Endpoint, Failure, Response, Skipped, Unpromised, Unreachable
from pennyworth.checks.smoke.results import (
    MARKS,
    Result,
    Status,
    as_json,
    as_junit,
    as_markdown,
    counted,
    line,
    passed,
)
from pennyworth.checks.smoke.runner import run, ticking

__all__ = [
    "CHECKS",
    "EXPECTED",
    "LARGE_BYTES",
    "MARKS",
    "QUESTION",
    "Check",
    "Endpoint",
    "Failure",
    "Response",
    "Result",
    "Skipped",
    "Status",
    "Trial",
    "Unpromised",
    "Unreachable",
    "as_json",
    "as_junit",
    "as_markdown",
    "counted",
    "line",
    "passed",
    "run",
    "ticking",
    "unknown",
]
