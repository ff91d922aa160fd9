"""Look a set-up over, end to end, and say what fixes whatever is wrong. Changes nothing.

The exit status is 1 where something is wrong, 0 where there are only warnings (!) and what could not be found out (?).
The credentials are those of the environment; your own ones see more than the deploy role's.
"""

import argparse
import json

from pennyworth.cli.environment import go_on_in
from pennyworth.host.progress import say

_LINES = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add("--region", help="where the endpoint is deployed to (default: $AWS_REGION or the profile's)")
    add(
        "--dns",
        default="",
        metavar="HOST[:PORT]",
        help="the name server to ask (default: this machine's own)",
    )
    add("--json", action="store_true", help="print the findings as JSON")


def run(options: argparse.Namespace) -> int:
    """Look; 1 where something is wrong."""
    go_on_in("tools")
    from pennyworth.aws.account import Account, Unprepared
    from pennyworth.aws.errors import AWS_FAILURES
    from pennyworth.checks import doctor
    from pennyworth.checks.finding import Verdict, as_json, line

    findings = []
    try:
        for finding in doctor.examine(doctor.get_set_up(Account(options.region), options.dns)):
            findings.append(finding)
            if not options.json:
                print(line(finding, _LINES), flush=True)
    except (Unprepared, *AWS_FAILURES) as failure:
        say(f"pennyworth doctor: {failure}")
        return 1
    if options.json:
        print(json.dumps(as_json(findings), indent=2))
    wrong = sum(finding.verdict == Verdict.WRONG for finding in findings)
    warnings = sum(finding.verdict == Verdict.WARNING for finding in findings)
    say(f"{wrong} wrong, {warnings} to think about.")
    return 1 if wrong else 0
