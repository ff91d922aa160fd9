"""Restrict the deploy role's iam:PassRole to the stack's own roles.

    pennyworth tighten-passrole --stack-name endpoint --region us-east-1 --dry-run

Writes a new version of the deploy role's policy. Its iam:PassRole names exactly the roles of the deployed
stack, each only for the services in the role's trust policy. It checks the result with the IAM policy simulator
and shows what changed. If nothing changed, it writes nothing.

The deployment workflow runs this after each deployment, and with --prepare before each. It finds AWS
credentials the way the AWS CLI does: use your own, or the deploy role's.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from pennyworth.cli import stack
from pennyworth.cli.output import json_option, print_json


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    add = parser.add_argument
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--prepare",
        type=Path,
        metavar="TEMPLATE",
        help="before a deployment: also allow the roles that this template will create",
    )
    instead.add_argument("--restore", action="store_true", help="restore the policy's previous version")
    add("--dry-run", action="store_true", help="show what would change, and change nothing")
    add(
        "--policy",
        metavar="NAME",
        help="the policy to change, by name or ARN (default: the endpoint's)",
    )
    add(
        "--role",
        metavar="NAME",
        help="the role that the policy belongs to (default: the endpoint's)",
    )
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Rewrite the policy. Returns the exit status."""
    stack.connect(options)
    from pennyworth.iam.passrole import Inputs, Target, as_markdown, change_passrole

    given = {name: value for name in ("policy", "role") if (value := getattr(options, name))}
    target = Target(options.stack_name, options.region, **given)
    inputs = Inputs(target, options.prepare, options.restore, options.dry_run)
    outcome = change_passrole(inputs)
    if options.json:
        changed = bool(outcome.difference) and not options.dry_run
        print_json({"changed": changed, **asdict(outcome)})
    else:
        print(as_markdown(outcome, inputs))
    return 0
