"""Find problems in your AWS and GitHub setup, and show how to fix each one. Changes nothing.

    pennyworth doctor --region us-east-1

Checks what `pennyworth bootstrap` set up: roles and policies, certificate, DNS, the endpoint's stack, quotas,
GitHub secrets and alerts. Each line shows what was found, and what to do:

  ✓ fine   ! warning   ✗ wrong   ? unknown

It finds AWS credentials the way the AWS CLI does. Use your own: the deploy role may not read everything. The
exit status is 1 if something is wrong, else 0.
"""

import argparse
import json

from pennyworth.cli.environment import go_on_in
from pennyworth.host.progress import say

_LINES = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add("--region", help="the endpoint's AWS region (default: $AWS_REGION, else your AWS profile's)")
    add(
        "--dns",
        default="",
        metavar="HOST[:PORT]",
        help="the DNS server to ask (default: this machine's)",
    )
    add("--json", action="store_true", help="print the findings as JSON")


def run(options: argparse.Namespace) -> int:
    """Check the setup. Returns 1 if something is wrong, else 0."""
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
    say(f"{wrong} wrong, {warnings} {'warning' if warnings == 1 else 'warnings'}.")
    return 1 if wrong else 0
