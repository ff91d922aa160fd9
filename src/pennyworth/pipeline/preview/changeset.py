"""Fetch what CloudFormation would change, with a change set that is deleted at once, or kept for approval.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from pennyworth.aws.change_sets import delete_change_set
from pennyworth.aws.early_validation import explain_refusal
from pennyworth.github import actions
from pennyworth.github.masking import PUBLIC
from pennyworth.host.errors import OperationFailed

MOST_BYTES = 51_200
"""CloudFormation's limit for a template that is not in S3. A preview uploads nothing."""

_WAIT = {"Delay": 2, "MaxAttempts": 150}
_NOTHING = ("didn't contain changes", "No updates are to be performed")
_EFFECTS: Mapping[str, Mapping[str, str]] = tomllib.loads(
    Path(__file__).with_name("effects.toml").read_text(encoding="utf-8")
)
_KEPT = ("Retain", "Snapshot", "ReplaceAndRetain", "ReplaceAndSnapshot")


@dataclass(frozen=True, slots=True)
class Detail:
    """A property that changes."""

    name: str = field(metadata=PUBLIC)
    """The property's path, or an attribute such as Tags or Metadata."""
    before: str | None
    after: str | None
    """The values, if CloudFormation provides them."""
    certain: bool
    """Whether it certainly changes. If False, that depends on the change of another resource."""


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """A change of one of the stack's resources."""

    action: str = field(metadata=PUBLIC)
    """Add, Modify, Remove, Import or Dynamic."""
    resource: str = field(metadata=PUBLIC)
    """Its logical id."""
    type: str = field(metadata=PUBLIC)
    replacement: str = field(default="False", metadata=PUBLIC)
    """True, False or Conditional."""
    policy: str = field(default="", metadata=PUBLIC)
    """What happens to the old resource: Delete, Retain or Snapshot, or one of these with the prefix ReplaceAnd."""
    details: tuple[Detail, ...] = ()

    @property
    def goes(self) -> bool:
        """Whether the current resource is, or may be, removed or replaced."""
        return self.action == "Remove" or self.replacement in ("True", "Conditional")

    @property
    def certain(self) -> bool:
        """Whether that is certain."""
        return self.action == "Remove" or self.replacement == "True"

    @property
    def kept(self) -> bool:
        """Whether a removed or replaced resource stays in the account, with its data."""
        return self.policy in _KEPT

    @property
    def lost(self) -> str:
        """The data that would be lost; empty for none."""
        return _EFFECTS["data"].get(self.type, "") if self.goes and not self.kept else ""

    @property
    def noticed(self) -> str:
        """What callers would notice; empty for nothing."""
        return _EFFECTS["callers"].get(self.type, "") if self.goes else ""


@dataclass(frozen=True, slots=True)
class Kept:
    """How a change set is made that is kept, so that it can be executed."""

    creates: bool
    """Whether it creates the stack."""
    tags: Mapping[str, str]
    """What everything in the stack is tagged with, and nothing else."""
    revert_drift: bool
    """Whether it also undoes what somebody changed by hand:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html"""

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of CreateChangeSet."""
        given: dict[str, Any] = {
            "ChangeSetType": "CREATE" if self.creates else "UPDATE",
            "Description": "Made by pennyworth, to be approved",
            "Tags": [{"Key": name, "Value": value} for name, value in self.tags.items()],
        }
        # a stack that does not exist has no drift
        return given | ({"DeploymentMode": "REVERT_DRIFT"} if self.revert_drift and not self.creates else {})


_TEMPORARY = {"ChangeSetType": "UPDATE", "Description": "A preview. Do not execute it"}


def fetch_changes(
    cloudformation: Any,
    stack: str,
    name: str,
    template: str,
    parameters: Sequence[Mapping[str, Any]],
    kept: Kept | None = None,
) -> list[ResourceChange]:
    """Fetch what a deployment would change, from a change set.

    Args:
        cloudformation: the boto3 client for CloudFormation.
        stack: the stack's name.
        name: the name of the change set. One with that name, left by an interrupted run, is deleted.
        template: the template's text.
        parameters: the parameters, in the format of CreateChangeSet.
        kept: how the change set is made, if it is kept. None: a temporary one, of an existing stack.
    Returns:
        the changes. If there are none, there is no change set either.
    Raises:
        OperationFailed: CloudFormation rejects the template.
    """
    if (size := len(template.encode())) > MOST_BYTES:
        raise OperationFailed(
            "The template is too large for a preview",
            f"It has {size:,} bytes. Without S3, which a preview does not use, the limit is {MOST_BYTES:,}.",
        )
    named = {"StackName": stack, "ChangeSetName": name}
    _delete(cloudformation, stack, name)
    usable = False
    try:
        cloudformation.create_change_set(
            **named,
            **(kept.arguments() if kept else _TEMPORARY),
            TemplateBody=template,
            Parameters=list(parameters),
            Capabilities=["CAPABILITY_IAM"],
        )
        try:
            cloudformation.get_waiter("change_set_create_complete").wait(**named, WaiterConfig=_WAIT)
        except WaiterError as failure:
            response = failure.last_response
            reason = str(response.get("StatusReason", ""))
            if response.get("Status") == "FAILED" and any(said in reason for said in _NOTHING):
                return []
            refusal = explain_refusal(cloudformation, stack, change_set=str(response.get("ChangeSetId", "")))
            raise OperationFailed(
                "CloudFormation can't say what would change",
                "A deployment would fail in the same way. CloudFormation says:",
                refusal or reason or str(failure),
            ) from failure
        pages = cloudformation.get_paginator("describe_change_set").paginate(
            **named, IncludePropertyValues=True
        )
        changes = parse_changes(change for page in pages for change in page.get("Changes", []))
        usable = kept is not None
        return changes
    except ClientError as failure:
        raise OperationFailed(
            "CloudFormation can't say what would change",
            "Check that these credentials have the permissions in policies/view.json, and that the template is valid."
            " CloudFormation says:",
            str(failure),
        ) from failure
    finally:
        if not usable:
            _delete(cloudformation, stack, name)


def parse_changes(changes: Iterable[Mapping[str, Any]]) -> list[ResourceChange]:
    """Parse the changes of DescribeChangeSet.

    Args:
        changes: as in https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Change.html.
    Returns:
        the changes of resources, most serious first.
    """
    found = [_parse_change(entry["ResourceChange"]) for entry in changes if "ResourceChange" in entry]
    return sorted(found, key=lambda change: (_compute_order(change), change.resource))


def _compute_order(change: ResourceChange) -> tuple[bool, ...]:
    """Compute a sort key: the most serious changes first, the least serious last."""
    return (
        not change.lost,
        not change.noticed,
        not change.goes or change.kept,
        change.kept,
        change.action == "Add",
    )


def _parse_change(change: Mapping[str, Any]) -> ResourceChange:
    details: dict[str, Detail] = {}
    for entry in change.get("Details", []):
        detail = _parse_detail(entry)
        previous = details.get(detail.name)
        # a property may have several causes of change; one certain cause is enough
        if not previous or (detail.certain and not previous.certain):
            details[detail.name] = detail
    return ResourceChange(
        change["Action"],
        change["LogicalResourceId"],
        change["ResourceType"],
        change.get("Replacement", "False"),
        change.get("PolicyAction", ""),
        tuple(details.values()),
    )


def _parse_detail(detail: Mapping[str, Any]) -> Detail:
    target = detail.get("Target", {})
    name = target.get("Name") or target.get("Attribute", "")
    if path := target.get("Path"):
        name = path.strip("/").replace("/", ".").removeprefix("Properties.")
    return Detail(
        name,
        target.get("BeforeValue"),
        target.get("AfterValue"),
        detail.get("Evaluation", "Static") == "Static" and detail.get("ChangeSource") != "Automatic",
    )


def _delete(cloudformation: Any, stack: str, name: str) -> None:
    try:
        delete_change_set(cloudformation, stack, name)
    except ClientError as failure:
        actions.warning(
            "The preview's change set may still be there",
            "It is never executed, and the next preview deletes it. CloudFormation says: "
            f"{failure.response['Error'].get('Code')}",
        )
