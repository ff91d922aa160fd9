"""The state of a stack at one moment, from a single call of DescribeStacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pennyworth.aws.errors import is_absent_stack

_REVIEW = "REVIEW_IN_PROGRESS"  # a change set was created but never executed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A stack's state."""

    name: str
    region: str
    id: str
    status: str
    """Such as UPDATE_COMPLETE."""
    parameters: Mapping[str, str]
    """The parameters' values by name; **** for NoEcho parameters."""
    outputs: Mapping[str, str]
    """The outputs' values by name."""
    begun: datetime
    """The start of the current or the last operation."""

    @property
    def busy(self) -> bool:
        """Whether an operation is in progress. In REVIEW_IN_PROGRESS there is none."""
        return self.status.endswith("_IN_PROGRESS") and self.status != _REVIEW

    @property
    def created(self) -> bool:
        """Whether there was a deployment, successful or not."""
        return self.status != _REVIEW


def describe_stack(cloudformation: Any, name: str) -> Snapshot | None:
    """Fetch a stack's state.

    Args:
        cloudformation: the boto3 client for CloudFormation.
        name: the stack's name, or its ID, which also works for a deleted stack.
    Returns:
        the state; None if the stack does not exist.
    """
    try:
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as failure:
        if is_absent_stack(failure):
            return None
        raise
    return Snapshot(
        name=found["StackName"],
        region=cloudformation.meta.region_name,
        id=found["StackId"],
        status=found["StackStatus"],
        parameters={
            given["ParameterKey"]: given.get("ParameterValue", "") for given in found.get("Parameters", [])
        },
        outputs={output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])},
        begun=found.get("LastUpdatedTime") or found["CreationTime"],
    )


def read_parameters(stack: Snapshot | None) -> Mapping[str, str]:
    """Read a stack's parameters; empty if there is no stack."""
    return stack.parameters if stack else {}
