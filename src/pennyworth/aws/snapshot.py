"""The state of a stack at one moment, from a single call of DescribeStacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pennyworth.aws.errors import is_absent_stack
from pennyworth.aws.stack_states import State, Then, get_state


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
    tags: Mapping[str, str]
    """The stack's own tags by name."""

    @property
    def state(self) -> State:
        """What its state means for a deployment."""
        return get_state(self.status)

    @property
    def busy(self) -> bool:
        """Whether an operation is in progress."""
        return self.state.then is Then.WAIT


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
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
    )


def read_parameters(stack: Snapshot | None) -> Mapping[str, str]:
    """Read a stack's parameters; empty if there is no stack."""
    return stack.parameters if stack else {}
