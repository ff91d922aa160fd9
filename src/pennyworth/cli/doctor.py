"""Find problems in your AWS and GitHub setup, and show how to fix each one. Changes nothing.

    pennyworth doctor --region us-east-1

Checks what `pennyworth bootstrap` set up: roles and policies, certificate, DNS, the endpoint's stack, quotas,
GitHub secrets and alerts. Each line shows what was found, and what to do:

  ✓ fine   ! warning   ✗ wrong   ? unknown

It finds AWS credentials the way the AWS CLI does. Use your own: the deploy role may not read everything. The
exit status is 1 if something is wrong, else 0.
"""

import argparse

from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.cli.output import json_option, print_json
from pennyworth.host.progress import say

_LINES = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add = parser.add_argument
    add(
        "--stack-name",
        default="",
        metavar="NAME",
        help="the name of the endpoint's stack, if the region has several (default: the only one)",
    )
    stack.aws_options(parser)
    add(
        "--dns",
        default="",
        metavar="HOST[:PORT]",
        help="the DNS server to ask (default: this machine's)",
    )
    json_option(parser, "the findings")


def run(options: argparse.Namespace) -> int:
    """Check the setup. Returns 1 if something is wrong, else 0."""
    go_on_in("tools")
    from pennyworth.aws.account import Account
    from pennyworth.checks import doctor
    from pennyworth.checks.finding import Verdict, as_json, line, overall

    findings = []
    for finding in doctor.examine(
        doctor.get_set_up(Account(options.region), options.stack_name, options.dns)
    ):
        findings.append(finding)
        if not options.json:
            print(line(finding, _LINES), flush=True)
    if options.json:
        print_json({"verdict": overall(findings), "findings": as_json(findings)})
    wrong = sum(finding.verdict == Verdict.WRONG for finding in findings)
    warnings = sum(finding.verdict == Verdict.WARNING for finding in findings)
    say(f"{wrong} wrong, {warnings} {'warning' if warnings == 1 else 'warnings'}.")
    return 1 if wrong else 0
