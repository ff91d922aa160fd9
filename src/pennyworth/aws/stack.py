"""A CloudFormation stack: whether it can be deployed, what a deployment changed, and why one failed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from pennyworth.aws.early_validation import explain_refusal
from pennyworth.aws.errors import is_absent_stack
from pennyworth.aws.snapshot import Snapshot, describe_stack
from pennyworth.aws.stack_states import Then
from pennyworth.host.errors import OperationFailed

_LOOK_SECONDS = 5.0
_TELL_SECONDS = 30.0

# states of a resource that does not exist
_ABSENT = frozenset({"CREATE_FAILED", "DELETE_COMPLETE"})

# reasons of events that are only consequences of another failure
_CASCADE = ("resource creation cancelled", "resource update cancelled", "resource deletion cancelled")

_REPLACES = "requires the creation of a new physical resource"

_DONE = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted"}


@dataclass(frozen=True, slots=True)
class Event:
    """An event of one of the stack's resources."""

    id: str
    resource: str
    """Its logical id."""
    type: str
    status: str
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one of the stack's resources by a deployment."""

    action: str
    """created, updated, replaced or deleted."""
    resource: str
    """Its logical id."""
    type: str
    seconds: float
    """The duration of the change."""


class Stack:
    """A stack, accessed with the credentials of the environment."""

    def __init__(self, name: str, region: str) -> None:
        self.name = name
        self.region = region
        self.cloudformation: Any = boto3.client("cloudformation", region_name=region)
        self._cloudwatch = boto3.client("cloudwatch", region_name=region)

    def describe(self) -> Snapshot | None:
        """Fetch the stack's current state; None if the stack does not exist."""
        return describe_stack(self.cloudformation, self.name)

    def list_physical_ids(self, kind: str) -> dict[str, str]:
        """List the existing resources of a type, such as AWS::IAM::Role: physical IDs by logical ID."""
        return list_physical_ids(self.cloudformation, self.name, kind)

    def wait_until_idle(self, seconds: float, say: Callable[[str], None]) -> Snapshot | None:
        """Wait until no operation is in progress, such as someone else's deployment.

        Args:
            seconds: how long to wait at most.
            say: is called with a progress message now and then.
        Returns:
            the stack's state afterwards; None if the stack does not exist.
        Raises:
            OperationFailed: the operation did not finish in time.
        """
        began = time.monotonic()
        reported = -_TELL_SECONDS
        while (seen := self.describe()) and seen.busy:
            waited = time.monotonic() - began
            if waited > seconds:
                raise OperationFailed(
                    f"The stack is in {seen.status}",
                    f"Waited {waited / 60:.0f} min. {seen.state.advice}",
                )
            if waited >= reported + _TELL_SECONDS:
                say(
                    f"The stack is in {seen.status}: waiting for the operation to finish"
                    f" ({waited:.0f} s of {seconds:.0f} s)"
                )
                reported = waited
            time.sleep(min(_LOOK_SECONDS, max(seconds / 20, 0.1)))
        return seen

    def delete_failed_creation(self) -> None:
        """Delete the remains of a failed first deployment, which are empty and can't be updated.

        Raises:
            OperationFailed: the stack can't be deleted.
        """
        marker = self.fetch_last_event()
        self.cloudformation.delete_stack(StackName=self.name)
        try:
            self.cloudformation.get_waiter("stack_delete_complete").wait(
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
        """Fetch the ID of the newest event, as a marker for `fetch_events_since`."""
        return next((event.id for event in self._iterate_events()), None)

    def fetch_events_since(self, marker: str | None) -> list[Event]:
        """Fetch the events after the marked one, oldest first."""
        events = []
        for event in self._iterate_events():
            if event.id == marker:
                break
            events.append(event)
        return events[::-1]

    def list_changes(self, events: list[Event]) -> list[Change]:
        """List a deployment's changes, in the order of their start."""
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
        """Find why a deployment failed: the first failure, without its consequences."""
        failures = [
            event for event in events if event.status.endswith("_FAILED") and not is_consequence(event)
        ]
        own = [event for event in failures if event.resource != self.name]
        for event in own or failures:
            alarms = self._describe_alarms(event.reason)
            return f"{event.resource} ({event.type}): {event.reason or event.status}{alarms}"
        return None

    def explain_refusal(self, since: datetime) -> str:
        """Say which resources CloudFormation's validation has refused since then, and what to do about them."""
        return explain_refusal(self.cloudformation, self.name, since)

    def _describe_alarms(self, reason: str) -> str:
        """Describe the stack's active alarms if an alarm stopped a rollout. CodeDeploy does not name the alarm."""
        if "alarm" not in reason.lower():
            return ""
        try:
            found = self._cloudwatch.describe_alarms(AlarmNamePrefix=f"{self.name}-")["MetricAlarms"]
        except ClientError as failure:
            return f"\nThe stack's alarms can't be read: {failure}"
        on = [alarm for alarm in found if alarm["StateValue"] == "ALARM"]
        said = [f"{alarm['AlarmName']} is on: {alarm.get('StateReason', '')}".rstrip(": ") for alarm in on]
        return "".join(f"\n{line}" for line in said or ["No alarm of the stack is on any more."])

    def _iterate_events(self) -> Iterator[Event]:
        """Iterate over the events, newest first, page by page; empty if the stack does not exist."""
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=self.name)
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
    """Check whether an event is only a consequence of another failure."""
    return event.reason.lower().startswith(_CASCADE)


def list_physical_ids(cloudformation: Any, stack: str, kind: str) -> dict[str, str]:
    """List a stack's existing resources of a type.

    Args:
        cloudformation: the boto3 client for CloudFormation.
        stack: the name of an existing stack.
        kind: a resource type, such as AWS::IAM::Role.
    Returns:
        physical IDs by logical ID.
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
    """Check that a stack can be deployed in its current state.

    Args:
        stack: the stack.
    Raises:
        OperationFailed: it can't be deployed; the message says what to do.
    """
    if stack.state.then is not Then.DEPLOY:
        raise OperationFailed(f"The stack is in {stack.status}", stack.state.advice)
