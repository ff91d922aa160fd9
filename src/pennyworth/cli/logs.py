"""Show the endpoint's log: one line for each request, and the errors.

    pennyworth logs --since 1h
    pennyworth logs --follow --status 5xx

Each line shows time, method, path, model, status, duration, tokens, and the error's code. --json prints the
function's own JSON lines instead, which have more fields (docs/api.md). Neither contains keys, prompts or answers.
New lines appear within a few seconds; Ctrl-C ends --follow.

--filter is a filter pattern of CloudWatch Logs, such as '"req_123"' or '{ $.caller = "k_1a2b" }'. It is applied by
AWS, before the other options. Needs AWS credentials of your own with cloudformation:DescribeStacks and
logs:FilterLogEvents. The read-only role of pull requests reads no log lines.
"""

import argparse
import re
import time
from collections.abc import Iterable
from datetime import datetime

from pennyworth.aws.log_lines import Choice, describe_line
from pennyworth.cli import stack
from pennyworth.cli.output import json_option, print_result
from pennyworth.host.progress import say

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DEFAULT_SINCE = "10m"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    add = parser.add_argument
    add("-f", "--follow", "--tail", action="store_true", help="keep showing new lines until Ctrl-C")
    add(
        "--since",
        type=_read_since,
        default=_DEFAULT_SINCE,
        metavar="TIME",
        help="how far to look back, such as 30s, 10m, 2h, 1d, or a time such as 2026-11-23T18:30"
        f" (default: {_DEFAULT_SINCE})",
    )
    add(
        "--filter", default="", metavar="PATTERN", help="only lines that match this CloudWatch filter pattern"
    )
    add(
        "--status",
        type=_read_status,
        metavar="STATUS",
        help="only requests with this status: 429, 5xx",
    )
    add("--model", default="", help="only requests for this model")
    add("--errors", action="store_true", help="only failures: statuses of 500 and above, errors, crashes")
    json_option(parser, "the lines")


def run(options: argparse.Namespace) -> int:
    """Show the lines. Returns 0."""
    stack.connect(options)
    from pennyworth.aws.account import Account
    from pennyworth.aws.function_log import FunctionLog

    account = Account(options.region)
    group = stack.require_output(account, options.stack_name, "LogGroupName")
    log = FunctionLog(account.client("logs"), group, options.filter)
    choice = Choice(options.status or "", options.model, options.errors)
    if options.follow:
        say(f"Following {group}. Press Ctrl-C to stop.")
    try:
        lines = (event.line for event in (log.follow if options.follow else log.fetch)(options.since))
        shown = _show(lines, choice, as_json=options.json, day=not options.follow)
    except KeyboardInterrupt:  # how one stops following
        if not options.follow:
            raise
        return 0
    if not shown:
        say("No such lines. `--since 1d` looks back further.")
    return 0


def _show(lines: Iterable[str], choice: Choice, *, as_json: bool, day: bool) -> int:
    """Print the chosen lines. Returns how many."""
    shown = 0
    for line in lines:
        if choice.shows(line):
            shown += 1
            print_result(line if as_json else describe_line(line, day=day))
    return shown


def _read_since(text: str) -> float:
    """Read a duration before now, or a time. Returns seconds since 1970."""
    if match := re.fullmatch(r"(\d+)([smhdw])", text.strip()):
        return time.time() - int(match[1]) * _SECONDS[match[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a duration such as 10m, 2h or 1d, or a time such as 2026-11-23T18:30, not {text}"
        ) from None


def _read_status(text: str) -> str:
    if re.fullmatch(r"[1-5](\d\d|xx)", text.lower()):
        return text.lower()
    raise argparse.ArgumentTypeError(f"expected a status such as 429, or 4xx or 5xx, not {text}")
