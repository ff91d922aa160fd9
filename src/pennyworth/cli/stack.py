"""Which stack a command is about: the same two options for all of them."""

import argparse
import os

from pennyworth.host.progress import say


def options(parser: argparse.ArgumentParser) -> None:
    """Add --stack-name and --region, which default to what a workflow's steps are told by."""
    environ = os.environ
    parser.add_argument(
        "--stack-name",
        default=environ.get("STACK_NAME"),
        metavar="NAME",
        help="the CloudFormation stack (default: $STACK_NAME)",
    )
    parser.add_argument(
        "--region",
        default=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
        help="its region (default: $AWS_REGION)",
    )


def named(command: str, given: argparse.Namespace) -> bool:
    """Whether both are there; says which is missing."""
    missing = [option for option in ("stack_name", "region") if not getattr(given, option)]
    for option in missing:
        say(f"pennyworth {command}: --{option.replace('_', '-')} is missing")
    return not missing
