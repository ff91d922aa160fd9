"""Check whether a deployed endpoint is healthy. Changes nothing, and costs no tokens.

    pennyworth health --stack-name endpoint --region us-east-1

Checks the endpoint's answers (without calling a model), its certificate in ACM and as callers see it, the
stack's state and drift, the live version, CloudWatch metrics and alarms, and whether the deploy role's
permissions and trust policy are unchanged. Each line shows what was found, and what to do:

  ✓ healthy   ! warning   ✗ unhealthy   ? unknown   … deployment in progress

It finds AWS credentials the way the AWS CLI does; the permissions in policies/view.json are enough. To also
test the endpoint with an API key, set PENNYWORTH_API_KEY. The exit status is 1 if something is unhealthy, else
0. The workflow health-check.yml runs the same checks every few hours.
"""

import argparse
import os

from pennyworth.checks.health import limits
from pennyworth.cli import stack
from pennyworth.cli.numbers import read_number
from pennyworth.cli.output import json_option, print_json
from pennyworth.host.progress import say

FAILED = 2
"""The exit status if the endpoint can't be checked."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    add = parser.add_argument
    add(
        "--repository",
        default="",
        metavar="OWNER/NAME",
        help="the only repository that the deploy role may trust (default: not checked)",
    )
    add(
        "--role",
        metavar="NAME",
        help="the deploy role, by name or ARN (default: the endpoint's)",
    )
    add(
        "--policy",
        metavar="NAME",
        help="the deploy role's policy with iam:PassRole, by name or ARN (default: the endpoint's)",
    )
    add("--skip", action="append", default=[], metavar="CHECK", help="skip a check; repeatable")
    add("--strict", action="store_true", help="treat warnings as unhealthy")
    for name, (describe, default) in limits.describe().items():
        add(f"--{name}", type=read_number(float), metavar="N", help=f"{describe} (default: {default})")
    output = parser.add_mutually_exclusive_group()
    json_option(output, "the findings")
    output.add_argument("--markdown", action="store_true", help="print the findings as a Markdown table")


def run(options: argparse.Namespace) -> int:
    """Check the endpoint. Returns 1 if something is unhealthy, 2 if it can't be checked, else 0."""
    stack.connect(options)
    from pennyworth.checks.finding import Finding, Verdict, as_json, as_table, line
    from pennyworth.checks.health.examination import Inputs, check_health
    from pennyworth.gateway.credentials import read_api_keys

    def tell(finding: Finding) -> None:
        if not options.json and not options.markdown:
            print(line(finding), flush=True)

    given = {name: getattr(options, name) for name in limits.names() if getattr(options, name) is not None}
    inputs = Inputs(
        stack=options.stack_name,
        region=options.region,
        keys=list(read_api_keys(os.environ.get("PENNYWORTH_API_KEY", "")).keys),
        repository=options.repository,
        role=options.role or "",
        policy=options.policy or "",
        emulator=os.environ.get("AWS_ENDPOINT_URL", ""),
        limits=limits.Limits(**given),
        skip=options.skip,
        strict=options.strict,
    )
    health = check_health(inputs, tell)
    if options.json:
        print_json({"verdict": health.verdict, "findings": as_json(health.findings)})
    if options.markdown:
        print(as_table(health.findings))
    say(f"The endpoint is {health.verdict}.")
    return 1 if health.verdict == Verdict.UNHEALTHY else 0
