"""Smoke tests for any OpenAI-compatible endpoint, over the network. Standard library only.

`run` runs a table of named checks and returns a result for each. A failure's message says what to do next. No
message contains an API key of six characters or more. Checks of what only this project's gateway guarantees are
skipped if another endpoint fails them, unless `strict` is set.
"""

from pennyworth.checks.smoke.checks import CHECKS, EXPECTED, LARGE_BYTES, QUESTION, Check, Trial, find_unknown
from pennyworth.checks.smoke.endpoint import Endpoint, Failure, Response, Skipped, Unpromised, Unreachable
from pennyworth.checks.smoke.results import (
    MARKS,
    Result,
    Status,
    all_passed,
    as_json,
    as_junit,
    as_markdown,
    format_line,
    summarize,
)
from pennyworth.checks.smoke.runner import MASKED_CHARACTERS, report_progress, run

__all__ = [
    "CHECKS",
    "EXPECTED",
    "LARGE_BYTES",
    "MARKS",
    "MASKED_CHARACTERS",
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
    "all_passed",
    "as_json",
    "as_junit",
    "as_markdown",
    "find_unknown",
    "format_line",
    "report_progress",
    "run",
    "summarize",
]
