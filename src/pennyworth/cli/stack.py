"""The options that name a stack, for all commands that need one."""

import argparse
import os

from pennyworth.host.progress import say


def options(parser: argparse.ArgumentParser) -> None:
    """Add --stack-name and --region, with defaults from STACK_NAME and AWS_REGION."""
    environ = os.environ
    parser.add_argument(
        "--stack-name",
        default=environ.get("STACK_NAME"),
        metavar="NAME",
        help="the endpoint's CloudFormation stack (default: $STACK_NAME)",
    )
    parser.add_argument(
        "--region",
        default=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
        help="the stack's AWS region (default: $AWS_REGION)",
    )


def named(command: str, given: argparse.Namespace) -> bool:
    """Whether both options are set. Prints which one is missing."""
    missing = [option for option in ("stack_name", "region") if not getattr(given, option)]
    for option in missing:
        say(f"pennyworth {command}: --{option.replace('_', '-')} is missing")
    return not missing
