"""A stack's change sets: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pennyworth.aws.errors import is_absent_stack

AVAILABLE = "AVAILABLE"
"""The execution status of a change set that can be executed."""

_ABSENT = frozenset({"ChangeSetNotFound", "ChangeSetNotFoundException"})


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set."""

    id: str
    """Its ARN."""
    status: str
    """Such as CREATE_COMPLETE."""
    execution: str
    """Its execution status: AVAILABLE, UNAVAILABLE, OBSOLETE, or EXECUTE_ and how far that is."""
    created: datetime
    parameters: Mapping[str, str]
    """The parameters' values by name; **** for NoEcho parameters."""

    @property
    def executable(self) -> bool:
        """Whether it can be executed."""
        return self.execution == AVAILABLE


def fetch_change_set(cloudformation: Any, stack: str, name: str) -> ChangeSet | None:
    """Fetch a change set.

    Args:
        cloudformation: the boto3 client for CloudFormation.
        stack: the stack's name.
        name: the change set's name or ARN.
    Returns:
        the change set; None if there is none of that name.
    """
    try:
        found = cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)
    except ClientError as failure:
        if failure.response["Error"]["Code"] in _ABSENT or is_absent_stack(failure):
            return None
        raise
    return ChangeSet(
        found["ChangeSetId"],
        found["Status"],
        found.get("ExecutionStatus", AVAILABLE),
        found["CreationTime"],
        {given["ParameterKey"]: given.get("ParameterValue", "") for given in found.get("Parameters", [])},
    )


def delete_change_set(cloudformation: Any, stack: str, name: str) -> None:
    """Delete a change set, if there is one of that name."""
    try:
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
    except ClientError as failure:
        if failure.response["Error"]["Code"] not in _ABSENT and not is_absent_stack(failure):
            raise
