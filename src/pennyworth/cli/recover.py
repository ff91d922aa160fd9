"""Bring a stack out of a failed state, so that it can be deployed again.

    pennyworth recover --stack-name endpoint --region us-east-1
    pennyworth recover --skip ApiDomain

What it does depends on the stack's state:

    UPDATE_ROLLBACK_FAILED            continues the rollback
    UPDATE_FAILED                     rolls back to the last state that worked
    CREATE_FAILED, ROLLBACK_FAILED,   deletes what a failed first deployment left
    ROLLBACK_COMPLETE

In any other state it changes nothing, and says what to do. Callers reach the live version all the time.

First remove the cause, which the stack's events name (`pennyworth open --stack`). If a resource can't be rolled back,
such as one that somebody deleted, --skip leaves it as it is. CloudFormation then treats it as rolled back, and the next
deployment may fail at it until you put it right.

It finds AWS credentials the way the AWS CLI does.
"""

import argparse

from pennyworth.cli import stack
from pennyworth.cli.output import json_option, print_json
from pennyworth.host.processes import raise_on_signals


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="RESOURCE",
        help="logical ID of a resource that a rollback leaves as it is; repeatable",
    )
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Recover the stack. Returns the exit status."""
    stack.connect(options)
    from pennyworth.aws.account import Account
    from pennyworth.setup.recover import recover

    raise_on_signals()
    done = recover(Account(options.region), options.stack_name, options.skip)
    if options.json:
        print_json({"stack": options.stack_name, "before": done.before, "after": done.after or None})
    else:
        state = f"is in {done.after}" if done.after else "was deleted"
        print(f"The stack {options.stack_name} {state}. It can be deployed again.")
    return 0
