"""The options of commands that are about a stack."""

import argparse
import os
from typing import TYPE_CHECKING

from pennyworth.cli.environment import go_on_in
from pennyworth.cli.output import Misused
from pennyworth.host.errors import OperationFailed
from pennyworth.host.regions import find_region

if TYPE_CHECKING:
    from pennyworth.aws.account import Account
    from pennyworth.aws.snapshot import Snapshot

_VARIABLES = {"stack_name": "STACK_NAME", "region": "AWS_REGION"}
"""The environment variables with the options' defaults."""


_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def aws_options(parser: argparse.ArgumentParser, *, repeated: bool = False) -> None:
    """Add --region and --profile, with defaults from the environment and the AWS profile.

    Args:
        parser: the parser.
        repeated: whether a parser above this one has the options too, so that they may stand on both sides of a verb.
    """
    default = argparse.SUPPRESS if repeated else None
    parser.add_argument(
        "--region",
        default=default,
        help="the endpoint's AWS region (default: $AWS_REGION, else your AWS profile's)",
    )
    parser.add_argument(
        "--profile",
        default=default,
        metavar="NAME",
        help="the AWS profile to use (default: the credentials that the AWS CLI would use)",
    )


def options(parser: argparse.ArgumentParser, *, repeated: bool = False) -> None:
    """Add --stack-name, --region and --profile. See `aws_options`."""
    parser.add_argument(
        "--stack-name",
        default=argparse.SUPPRESS if repeated else os.environ.get("STACK_NAME"),
        metavar="NAME",
        help="the endpoint's CloudFormation stack (default: $STACK_NAME)",
    )
    aws_options(parser, repeated=repeated)


def settle(given: argparse.Namespace) -> None:
    """Apply --profile to this process and those that it starts, and find the region.

    A profile that is given wins over keys in the environment, as in the AWS CLI. boto3 takes the keys if both are set.
    """
    if "profile" not in given:
        return
    if given.profile:
        for name in _KEYS:
            os.environ.pop(name, None)
        os.environ["AWS_PROFILE"] = given.profile
    given.region = given.region or find_region()


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


def require(given: argparse.Namespace) -> None:
    """Check that the stack's name and region are set.

    Raises:
        Misused: one is not. The message says how to set it.
    """
    missing = [
        f"--{option.replace('_', '-')} is missing: give it, or set {variable}"
        for option, variable in _VARIABLES.items()
        if not getattr(given, option)
    ]
    if missing:
        raise Misused("\n".join(missing))


def connect(given: argparse.Namespace) -> None:
    """Require stack and region, continue in the environment `tools`, and check the AWS credentials.

    Raises:
        Misused: the stack's name or region is missing.
        Unprepared: AWS does not accept the credentials. The message says how to log in.
    """
    require(given)
    go_on_in("tools")
    from pennyworth.aws.account import log_in

    log_in(given.region)


def require_stack(account: "Account", name: str) -> "Snapshot":
    """Fetch the state of a stack that must exist.

    Raises:
        OperationFailed: there is no such stack.
    """
    if found := account.describe_stack(name):
        return found
    raise OperationFailed(
        f"There is no stack {name} in {account.region}",
        "Correct --stack-name or --region, or deploy it first.",
    )


def require_output(account: "Account", name: str, output: str) -> str:
    """Return an output of a stack, such as LogGroupName.

    Raises:
        OperationFailed: there is no such stack, or it has no such output.
    """
    if value := require_stack(account, name).outputs.get(output):
        return value
    raise OperationFailed(
        f"The stack {name} has no output {output}",
        "It is not an endpoint of this project, or its deployment failed. `pennyworth status` shows its state.",
    )


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text}")
    return name, value
