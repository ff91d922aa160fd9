"""The options of commands that are about a stack."""

import argparse
import os

from pennyworth.host.progress import say
from pennyworth.host.regions import find_region

_VARIABLES = {"stack_name": "STACK_NAME", "region": "AWS_REGION"}
"""The environment variables with the options' defaults."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add --stack-name and --region, with defaults from STACK_NAME, AWS_REGION and the AWS profile."""
    parser.add_argument(
        "--stack-name",
        default=os.environ.get("STACK_NAME"),
        metavar="NAME",
        help="the endpoint's CloudFormation stack (default: $STACK_NAME)",
    )
    parser.add_argument(
        "--region",
        default=find_region(),
        help="the stack's AWS region (default: $AWS_REGION, else your AWS profile's)",
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
    """Return whether both options are set. Prints which one is missing, and how to set it."""
    missing = [option for option in _VARIABLES if not getattr(given, option)]
    for option in missing:
        variable = _VARIABLES[option]
        say(f"pennyworth {command}: --{option.replace('_', '-')} is missing: give it, or set {variable}")
    return not missing


def logged_in(command: str, region: str) -> bool:
    """Return whether AWS accepts the credentials. If not, prints how to log in. Needs the environment `tools`."""
    from pennyworth.aws.account import Unprepared, log_in

    try:
        log_in(region)
    except Unprepared as failure:
        say(f"pennyworth {command}: {failure}")
        return False
    return True


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text}")
    return name, value
