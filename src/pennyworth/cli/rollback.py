"""Send callers to an earlier version of the endpoint, at once and without deploying.

    pennyworth rollback --stack-name endpoint --region us-east-1
    pennyworth rollback --stack-name endpoint --region us-east-1 --to 12

Each deployment publishes a version of the Lambda function and points the alias `live` at it. This command
points the alias at another version. The stack stays as it is, and the next deployment works as usual. If
LITELLM_API_KEYS is set, the smoke tests run afterwards.

It finds AWS credentials the way the AWS CLI does. They need lambda:GetAlias, lambda:UpdateAlias and
lambda:ListVersionsByFunction.
"""

import argparse
import os
from typing import TYPE_CHECKING

from pennyworth.cli import stack
from pennyworth.cli.output import json_option, print_json

if TYPE_CHECKING:
    from pennyworth.aws.function_versions import AliasedFunction
    from pennyworth.checks.smoke.deployed_endpoint import Inputs


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--to",
        default="previous",
        metavar="VERSION",
        help="the version's number (default: the one before the live version)",
    )
    what.add_argument("--list", action="store_true", help="only list the available versions")
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Roll back, or list the versions. Returns the exit status."""
    stack.connect(options)
    from pennyworth.aws.stack import Stack
    from pennyworth.pipeline.deploy.rollback import (
        Inputs,
        check_answers,
        get_function,
        roll_back,
        rolled_back_as_markdown,
    )

    if options.list:
        there = Stack(options.stack_name, options.region).describe()
        _list(get_function(options.stack_name, there), as_json=options.json)
        return 0
    done = roll_back(Inputs(options.stack_name, options.region, options.to, smoke=_smoke_inputs(options)))
    check_answers(done)
    if options.json:
        print_json({"live": done.version, "before": done.before, "deployed": done.deployed})
    else:
        print(rolled_back_as_markdown(done))
    return 0


def _smoke_inputs(options: argparse.Namespace) -> "Inputs | None":
    """Return the inputs of the smoke tests; None without an API key."""
    from pennyworth.checks.smoke.deployed_endpoint import Inputs
    from pennyworth.gateway.credentials import API_KEYS, read_api_keys

    keys = read_api_keys(os.environ.get(API_KEYS, "")).keys
    if not keys:
        return None
    emulator = os.environ.get("AWS_ENDPOINT_URL", "")
    return Inputs(options.stack_name, options.region, keys[0], emulator=emulator)


def _list(now: "AliasedFunction", *, as_json: bool) -> None:
    live = now.fetch_live_version()
    versions = now.list_versions()
    if as_json:
        print_json(
            {
                "live": live,
                "deployed": now.wanted,
                "versions": [{"version": one.number, "published": one.published} for one in versions],
            }
        )
        return
    for version in versions:
        marks = [
            *(["live"] if version.number == live else []),
            *(["deployed last"] if version.number == now.wanted else []),
        ]
        print(f"{version.number:>5}  {version.published[:16].replace('T', ' ')}  {', '.join(marks)}".rstrip())
