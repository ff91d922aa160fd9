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
    for name, (describe, default) in limits.described().items():
        add(f"--{name}", metavar="N", help=f"{describe} (default: {default})")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the findings as JSON")
    output.add_argument("--markdown", action="store_true", help="print the findings as a Markdown table")


def run(options: argparse.Namespace) -> int:
    """Look; 1 where something is unhealthy."""
    if not stack.named("health", options):
        return 2
    go_on_in("tools")
    from pennyworth.aws.account import AWS_FAILURES
    from pennyworth.checks.health import finding
    from pennyworth.checks.health.checks import examine
    from pennyworth.host.errors import OperationFailed
    from pennyworth.pipeline.steps import health_check

    given = {
        "STACK_NAME": options.stack_name,
        "AWS_REGION": options.region,
        "LITELLM_API_KEYS": os.environ.get("PENNYWORTH_API_KEY"),
        "GITHUB_REPOSITORY": options.repository,
        "AWS_ENDPOINT_URL": os.environ.get("AWS_ENDPOINT_URL"),
        "ROLE": options.role,
        "POLICY": options.policy,
        **{
            name.upper().replace("-", "_"): getattr(options, name.replace("-", "_"))
            for name in limits.described()
        },
    }
    findings = []
    try:
        subject = health_check.seen_by({name: value for name, value in given.items() if value})
        skip = health_check.skipped(",".join(options.skip))
        for one in examine(subject, skip):
            findings.append(finding.strict(one) if options.strict else one)
            if not options.json and not options.markdown:
                print(finding.line(findings[-1]), flush=True)
    except OperationFailed as failure:
        say(f"pennyworth health: {failure.title}. {failure.message}")
        return 2
    except AWS_FAILURES as failure:
        say(f"pennyworth health: {failure}")
        return 2
    if options.json:
        print(json.dumps(finding.as_json(findings), indent=2))
    if options.markdown:
        print(finding.as_table(findings))
    verdict = finding.overall(findings)
    say(f"The endpoint is {verdict}.")
    return 1 if verdict == finding.Verdict.UNHEALTHY else 0
