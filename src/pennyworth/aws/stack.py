"""A CloudFormation stack: whether it can be deployed, what a deployment changed in it, and why one failed.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html explains its states.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from pennyworth.aws.errors import is_absent_stack
from pennyworth.aws.snapshot import Snapshot, describe_stack
from pennyworth.host.errors import OperationFailed

_DEPLOYABLE = frozenset(
    {
        "REVIEW_IN_PROGRESS",  # a change set was made and never executed: sam goes on from there
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)

# CloudFormation takes no update of a stack in any other state. What a person can do about each.
_ADVICE = {
    "UPDATE_ROLLBACK_FAILED": "In the CloudFormation console choose 'Continue update rollback'. Then run this again.",
    "ROLLBACK_FAILED": "It was never complete: delete it in the CloudFormation console. Then run this again.",
    "CREATE_FAILED": "It was never complete: delete it in the CloudFormation console. Then run this again.",
    "DELETE_FAILED": "Delete it in the CloudFormation console, keeping what can't be deleted. Then run this again.",
}
_BUSY = "Another operation is at work on it. Wait for its end, then run this again."

_LOOK_SECONDS = 5.0
_TELL_SECONDS = 30.0

# states of a resource that is not there
_ABSENT = frozenset({"CREATE_FAILED", "DELETE_COMPLETE"})

# how CloudFormation marks what stopped only because something else had failed
_CASCADE = ("resource creation cancelled", "resource update cancelled", "resource deletion cancelled")

_REPLACES = "requires the creation of a new physical resource"

_DONE = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted"}


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to one of the stack's resources."""

    id: str
    resource: str
    """Its logical id."""
    type: str
    status: str
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What a deployment did to one of the stack's resources."""

    action: str
    """created, updated, replaced or deleted."""
    resource: str
    """Its logical id."""
    type: str
    seconds: float
    """How long that took."""


class Stack:
    """A stack by its name, in the region and with the credentials that the environment names."""

    def __init__(self, name: str, region: str) -> None:
        self.name = name
        self.region = region
        self._cloudformation = boto3.client("cloudformation", region_name=region)
        self._cloudwatch = boto3.client("cloudwatch", region_name=region)

    def describe(self) -> Snapshot | None:
        """It as it is now; None where there is no such stack."""
        return describe_stack(self._cloudformation, self.name)

    def list_physical_ids(self, kind: str) -> dict[str, str]:
        """Its resources of a type, such as AWS::IAM::Role, that exist: logical id to physical id."""
        return list_physical_ids(self._cloudformation, self.name, kind)

    def wait_until_idle(self, seconds: float, say: Callable[[str], None]) -> Snapshot | None:
        """Wait for the end of whatever operation is at work on it: another repository's deployment, a person's.

        Args:
            seconds: how long at most.
            say: is told that and for what it waits, now and then.
        Returns:
            the stack as it is then; None where there is none.
        Raises:
            OperationFailed: it still goes on.
        """
        began = time.monotonic()
        told = -_TELL_SECONDS
        while (seen := self.describe()) and seen.busy:
            waited = time.monotonic() - began
            if waited > seconds:
                raise OperationFailed(
                    f"The stack is in {seen.status}",
                    f"It has been waited for {waited / 60:.0f} min. {_BUSY}",
                )
            if waited >= told + _TELL_SECONDS:
                say(
                    f"The stack is in {seen.status}: waiting for that to end"
                    f" ({waited:.0f} s of {seconds:.0f} s)"
                )
                told = waited
            time.sleep(min(_LOOK_SECONDS, max(seconds / 20, 0.1)))
        return seen

    def delete_failed_creation(self) -> None:
        """Delete what is left of a first creation that failed: it holds nothing, and takes no deployment.

        Raises:
            OperationFailed: it can't be deleted.
        """
        marker = self.fetch_last_event()
        self._cloudformation.delete_stack(StackName=self.name)
        try:
            self._cloudformation.get_waiter("stack_delete_complete").wait(
                StackName=self.name, WaiterConfig={"Delay": 2, "MaxAttempts": 450}
            )
        except WaiterError as failure:
            cause = self.find_first_cause(self.fetch_events_since(marker))
            raise OperationFailed(
                "The remains of a failed first deployment can't be deleted",
                "Delete the stack in the CloudFormation console, then run this again.",
                str(cause or failure),
            ) from failure

    def fetch_last_event(self) -> str | None:
        """A marker for `fetch_events_since`: the newest event there is."""
        return next((event.id for event in self._iterate_events()), None)

    def fetch_events_since(self, marker: str | None) -> list[Event]:
        """What happened after the marked event, oldest first."""
        events = []
        for event in self._iterate_events():
            if event.id == marker:
                break
            events.append(event)
        return events[::-1]

    def list_changes(self, events: list[Event]) -> list[Change]:
        """What a deployment did, in the order in which it began each."""
        first = {event.resource: event for event in reversed(events) if event.resource != self.name}
        done = {(event.resource, event.status): event.time for event in events}
        replaced = {event.resource for event in events if _REPLACES in event.reason}
        return [
            Change(
                "replaced" if name in replaced else _DONE[verb],
                name,
                event.type,
                (ended - event.time).total_seconds(),
            )
            for name, event in reversed(first.items())
            if (verb := event.status.split("_")[0]) in _DONE
            and (ended := done.get((name, f"{verb}_COMPLETE")))
        ]

    def find_first_cause(self, events: list[Event]) -> str | None:
        """Why a deployment failed: the first failure, not those that followed from it."""
        failures = [
            event for event in events if event.status.endswith("_FAILED") and not is_consequence(event)
        ]
        own = [event for event in failures if event.resource != self.name]
        for event in own or failures:
            alarms = self._describe_alarms(event.reason)
            return f"{event.resource} ({event.type}): {event.reason or event.status}{alarms}"
        return None

    def _describe_alarms(self, reason: str) -> str:
        """Which of the stack's alarms are on, where a rollout was stopped by one: CodeDeploy names none."""
        if "alarm" not in reason.lower():
            return ""
        try:
            found = self._cloudwatch.describe_alarms(AlarmNamePrefix=f"{self.name}-")["MetricAlarms"]
        except ClientError as failure:
            return f"\nWhich alarm it was can't be asked: {failure}"
        # one that has gone off again since still tells by its reason when it was on
        on = [alarm for alarm in found if alarm["StateValue"] == "ALARM"]
        said = [f"{alarm['AlarmName']} is on: {alarm.get('StateReason', '')}".rstrip(": ") for alarm in on]
        return "".join(f"\n{line}" for line in said or ["No alarm of the stack is on any more."])

    def _iterate_events(self) -> Iterator[Event]:
        """Every event, newest first, no more asked for than are taken; none where there is no such stack."""
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=self.name)
        try:
            for page in pages:
                for event in page["StackEvents"]:
                    yield Event(
                        event["EventId"],
                        event["LogicalResourceId"],
                        event["ResourceType"],
                        event["ResourceStatus"],
                        event.get("ResourceStatusReason", ""),
                        event["Timestamp"],
                    )
        except ClientError as failure:
            if not is_absent_stack(failure):
                raise


def is_consequence(event: Event) -> bool:
    """Whether it failed only because something else had."""
    return event.reason.lower().startswith(_CASCADE)


def list_physical_ids(cloudformation: Any, stack: str, kind: str) -> dict[str, str]:
    """A stack's resources of a type that exist: logical id to physical id.

    Args:
        cloudformation: boto3's client.
        stack: the name of a stack that is there.
        kind: such as AWS::IAM::Role.
    """
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == kind
        and resource.get("PhysicalResourceId")
        and resource["ResourceStatus"] not in _ABSENT
    }


def check_deployable(stack: Snapshot) -> None:
    """Check that a stack takes a deployment.

    Raises:
        OperationFailed: it takes none, and what to do about that.
    """
    if stack.status not in _DEPLOYABLE:
        raise OperationFailed(f"The stack is in {stack.status}", _ADVICE.get(stack.status, _BUSY))
