"""Look whether a deployed endpoint is well. Changes nothing.

Tries the endpoint without asking a model, looks at its certificate in ACM and as callers see it, at the stack's state
and what was changed by hand, which version callers reach, what CloudWatch counted and which alarms have gone off, and
whether the deploy role is as it was made and trusts nobody else. Each line says what was seen, and what to do:

  ✓ well   ! have a look   ✗ unhealthy   ? can't be told   … a deployment is at work

The credentials are those of the environment; policies/view.json is enough. With an API key in PENNYWORTH_API_KEY the
endpoint is tried with it, too. The exit status is 1 where something is unhealthy. The workflow health-check.yml does
the same every few hours.
"""

import argparse
import json
import os

from pennyworth.checks.health import limits
from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.cli.numbers import read_number
from pennyworth.host.lists import split_list
from pennyworth.host.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    add = parser.add_argument
    add("--repository", default="", metavar="OWNER/NAME", help="the only one that the deploy role may trust")
    add(
        "--role",
        metavar="NAME",
        help="the deploy role, by name or ARN (default: pennyworth-github-deploy-role)",
    )
    add("--policy", metavar="NAME", help="its policy with PassRole (default: pennyworth-deployment)")
    add("--skip", action="append", default=[], metavar="CHECK", help="leave a check out; repeatable")
    add("--strict", action="store_true", help="a warning counts as unhealthy")
    for name, (describe, default) in limits.describe().items():
        add(f"--{name}", type=read_number(float), metavar="N", help=f"{describe} (default: {default})")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the findings as JSON")
    output.add_argument("--markdown", action="store_true", help="print the findings as a Markdown table")


def run(options: argparse.Namespace) -> int:
    """Look; 1 where something is unhealthy."""
    if not stack.named("health", options):
        return 2
    go_on_in("tools")
    from pennyworth.checks.finding import Finding, Verdict, as_json, as_table, line
    from pennyworth.checks.health.examination import Inputs, check_health
    from pennyworth.host.errors import OperationFailed
    from pennyworth.iam.policy.documents import DEPLOY_ROLE, MANAGED_POLICIES

    def tell(finding: Finding) -> None:
        if not options.json and not options.markdown:
            print(line(finding), flush=True)

    given = {name: getattr(options, name) for name in limits.names() if getattr(options, name) is not None}
    inputs = Inputs(
        stack=options.stack_name,
        region=options.region,
        keys=split_list(os.environ.get("PENNYWORTH_API_KEY", "")),
        repository=options.repository,
        role=options.role or DEPLOY_ROLE,
        policy=options.policy or MANAGED_POLICIES["deployment"],
        emulator=os.environ.get("AWS_ENDPOINT_URL", ""),
        limits=limits.Limits(**given),
        skip=options.skip,
        strict=options.strict,
    )
    try:
        health = check_health(inputs, tell)
    except OperationFailed as failure:
        say(f"pennyworth health: {failure}")
        return 2
    if options.json:
        print(json.dumps(as_json(health.findings), indent=2))
    if options.markdown:
        print(as_table(health.findings))
    say(f"The endpoint is {health.verdict}.")
    return 1 if health.verdict == Verdict.UNHEALTHY else 0
