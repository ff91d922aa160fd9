"""The options of commands that are about a stack."""

import argparse
import os

from pennyworth.host.progress import say

_VARIABLES = {"stack_name": "STACK_NAME", "region": "AWS_REGION"}
"""The environment variables with the options' defaults."""


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


def parameter_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --parameter, which can be repeated: a list of names and values."""
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        type=_parameter,
        metavar="NAME=VALUE",
        help="a stack parameter, such as MemorySize=512; repeatable",
    )


def named(command: str, given: argparse.Namespace) -> bool:
    """Whether both options are set. Prints which one is missing."""
    missing = [option for option in _VARIABLES if not getattr(given, option)]
    for option in missing:
        say(
            f"pennyworth {command}: --{option.replace('_', '-')} is missing. Give it, or set ${_VARIABLES[option]}"
        )
    return not missing


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text}")
    return name, value
