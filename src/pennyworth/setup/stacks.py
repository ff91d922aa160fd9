"""Follows CloudFormation's operations on a stack, and deletes stacks."""

import time

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.stack import Stack
from pennyworth.host.progress import say, step

_POLL_SECONDS = 1.0
_STACK_SECONDS = 900.0
_ENDED = ("_COMPLETE", "_FAILED")


def delete_stack(account: Account, name: str, region: str | None = None) -> None:
    """Delete a stack, and print its events as they happen. A deletion that is in progress is followed.

    Args:
        account: the account.
        name: the stack's name. Nothing happens if there is no such stack.
        region: its region. Default: the account's.
    Raises:
        Unprepared: a resource could not be deleted. The message says which, and what to do.
        OperationFailed: another operation on the stack did not end in time.
    """
    region = region or account.region
    found = account.describe_stack(name, region)
    if found is None:
        return
    stack = Stack(found.id, region)  # a deleted stack can be described only by its ID
    if found.status != "DELETE_IN_PROGRESS":
        stack.wait_until_idle(_STACK_SECONDS, say)
    marker = stack.fetch_last_event()
    account.client("cloudformation", region).delete_stack(StackName=name)
    with step(f"deleting the stack {name} in {region}"):
        status = follow(stack, name, marker)
    if status not in {"DELETE_COMPLETE", ""}:
        cause = stack.find_first_cause(stack.fetch_events_since(marker))
        raise Unprepared(
            f"The stack {name} is in {status}: {cause or 'see its events in the CloudFormation console'}. Remove the"
            " cause and run this again. Or leave behind what can't be deleted: aws cloudformation delete-stack"
            f" --stack-name {name} --region {region} --deletion-mode FORCE_DELETE_STACK"
        )


def follow(stack: Stack, name: str, marker: str | None) -> str:
    """Print a stack's events until its operation has ended.

    Args:
        stack: the stack.
        name: its name.
        marker: the last event before the operation.
    Returns:
        the final state; empty if the stack is gone.
    Raises:
        Unprepared: the operation takes too long.
    """
    deadline = time.monotonic() + _STACK_SECONDS
    told = 0
    while True:
        now = stack.describe()
        status = now.status if now else ""
        events = stack.fetch_events_since(marker)
        for event in events[told:]:
            if event.resource != name:
                say(f"      {event.status:<20} {event.type} {event.resource}")
        told = len(events)
        if not status or (events and status.endswith(_ENDED)):
            return status
        if time.monotonic() > deadline:
            raise Unprepared(
                f"The stack {name} is still in {status}. Check its events in the CloudFormation console."
            )
        time.sleep(_POLL_SECONDS)
