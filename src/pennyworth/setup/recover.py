"""Brings a stack out of a state in which it takes no deployment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.snapshot import Snapshot
from pennyworth.aws.stack import Stack
from pennyworth.host.errors import OperationFailed
from pennyworth.host.progress import step
from pennyworth.setup.stacks import delete_stack, follow


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of a stack."""

    before: str
    """The state in which it was."""
    after: str
    """The one that it is in now; empty if it is gone."""


def recover(account: Account, name: str, skip: Sequence[str] = ()) -> Recovered:
    """Recover a stack, and print its events as they happen.

    Args:
        account: the account, in the stack's region.
        name: the stack's name.
        skip: logical IDs of resources that a rollback leaves as they are, because they can't be rolled back.
    Raises:
        OperationFailed: there is no such stack, its state needs no recovery or another one, or the recovery failed. The
            message says what to do.
    """
    there = account.describe_stack(name)
    if there is None:
        raise OperationFailed(f"There is no stack {name} in {account.region}", "Deploy it.")
    way = _WAYS.get(there.status)
    if way is None:
        raise OperationFailed(
            f"The stack {name} is in {there.status}", there.state.advice or "It can be deployed as it is."
        )
    if skip and way is not _continue_rollback:
        raise OperationFailed(
            f"The stack {name} is in {there.status}", "Only a rollback that is continued can skip resources."
        )
    return Recovered(there.status, way(account, there, skip))


def _continue_rollback(account: Account, there: Snapshot, skip: Sequence[str]) -> str:
    cloudformation = account.client("cloudformation")
    skipped = {"ResourcesToSkip": list(skip)} if skip else {}
    return _follow(
        account, there, lambda: cloudformation.continue_update_rollback(StackName=there.name, **skipped)
    )


def _roll_back(account: Account, there: Snapshot, _: Sequence[str]) -> str:
    """Roll back to the last state that worked."""
    cloudformation = account.client("cloudformation")
    return _follow(account, there, lambda: cloudformation.rollback_stack(StackName=there.name))


def _follow(account: Account, there: Snapshot, begin: Callable[[], object]) -> str:
    """Begin a rollback, and follow it to its end. Returns the final state."""
    stack = Stack(there.name, account.region)
    marker = stack.fetch_last_event()
    with step(f"rolling back {there.name}"):
        try:
            begin()
        except ClientError as failure:
            raise Unprepared(
                f"CloudFormation refused to roll back {there.name}: {failure.response['Error']['Message']}"
            ) from failure
        status = follow(stack, there.name, marker)
    if not status.endswith("_COMPLETE"):
        cause = stack.find_first_cause(stack.fetch_events_since(marker))
        raise Unprepared(
            f"The stack {there.name} is in {status}: {cause or 'see its events in the CloudFormation console'}. Remove"
            " the cause and run this again. Or leave the resource as it is, with --skip and its name"
        )
    return status


def _delete(account: Account, there: Snapshot, _: Sequence[str]) -> str:
    """Delete what a failed first deployment left. It never served anybody."""
    delete_stack(account, there.name)
    return ""


_WAYS: Mapping[str, Callable[[Account, Snapshot, Sequence[str]], str]] = {
    "UPDATE_ROLLBACK_FAILED": _continue_rollback,
    "UPDATE_FAILED": _roll_back,
    "CREATE_FAILED": _delete,
    "ROLLBACK_FAILED": _delete,
    "ROLLBACK_COMPLETE": _delete,
}
