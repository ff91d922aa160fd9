"""A stack at one moment, by DescribeStacks: asked for once, and handed to whoever wants to know something of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pennyworth.aws.errors import is_absent_stack

_REVIEW = "REVIEW_IN_PROGRESS"  # a change set was made and never executed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What CloudFormation says of a stack."""

    name: str
    region: str
    id: str
    status: str
    """Such as UPDATE_COMPLETE."""
    parameters: Mapping[str, str]
    """The values of its parameters by name, **** for those that it shows nobody."""
    outputs: Mapping[str, str]
    """By name."""
    begun: datetime
    """When the operation that is at work on it, or was the last, began."""

    @property
    def busy(self) -> bool:
        """Whether an operation is at work on it. In REVIEW_IN_PROGRESS none is."""
        return self.status.endswith("_IN_PROGRESS") and self.status != _REVIEW

    @property
    def created(self) -> bool:
        """Whether anything was ever deployed, be it with success or without."""
        return self.status != _REVIEW


def describe_stack(cloudformation: Any, name: str) -> Snapshot | None:
    """A stack as it is now; None where there is none.

    Args:
        cloudformation: boto3's client.
        name: the stack's name. By its id a stack can be asked for when it is gone.
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
    """A stack's parameters; none where there is no stack."""
    return stack.parameters if stack else {}
