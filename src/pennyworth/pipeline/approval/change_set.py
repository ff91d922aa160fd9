"""Make a change set for approval, check that what was approved is still what would run, and discard it."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pennyworth.aws.account import Account
from pennyworth.aws.change_sets import ChangeSet, delete_change_set, fetch_change_set
from pennyworth.aws.provenance import PARAMETER as PROVENANCE
from pennyworth.aws.provenance import Provenance
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack import Stack
from pennyworth.aws.stack_parameters import HIDDEN, read_parameters
from pennyworth.aws.tags import TAGS, read_tags
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.pipeline.deploy.deployment import NOTHING, clear_failed_creation
from pennyworth.pipeline.deploy.parameters import (
    BOUNDARY,
    complete_parameters,
    fetch_stack_boundary,
    fill_parameters,
)
from pennyworth.pipeline.deploy.secret_parameters import find_secrets
from pennyworth.pipeline.preview import Inputs as PreviewInputs
from pennyworth.pipeline.preview import Preview, preview
from pennyworth.pipeline.preview.packaged import list_packages

_AGAIN = "It was not executed. Run the workflow again for a new change set, and approve that."
_WAIT_MINUTES = 30.0
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Inputs:
    """A change set, and the settings of its deployment."""

    stack: str
    region: str
    name: str
    """The change set's name."""
    parameters: Mapping[str, str]
    """Values by the stack parameters' names, as a deployment takes them."""
    scratch: Path
    """Where files may lie for the rest of the job."""
    template: Path | None = None
    """The built template, to make the change set from."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What everything in the stack is tagged with, and nothing else."""
    revert_drift: bool = False
    """Whether the change set also undoes what somebody changed by hand."""
    wait_seconds: float = 60 * _WAIT_MINUTES
    """For how long another operation on the stack is waited for, before the change set is made."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: STACK_NAME, AWS_REGION and CHANGE_SET; and, if wanted, TEMPLATE, REVERT_DRIFT,
        WAIT_MINUTES, TAGS and the parameters.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        template = environ.get("TEMPLATE", "")
        return cls(
            stack=actions.required(environ, "STACK_NAME"),
            region=actions.required(environ, "AWS_REGION"),
            name=actions.required(environ, "CHANGE_SET"),
            parameters=read_parameters(environ),
            scratch=Path(environ.get("RUNNER_TEMP") or made("tmp")),
            template=Path(template) if template else None,
            tags=read_tags(environ.get(TAGS, "").splitlines()),
            revert_drift=actions.asked(environ, "REVERT_DRIFT", default=False),
            wait_seconds=60 * actions.number(environ, "WAIT_MINUTES", _WAIT_MINUTES),
        )

    def secrets(self) -> list[str]:
        """What must stand in no log."""
        return find_secrets(self.parameters)


def make_change_set(inputs: Inputs) -> tuple[str, Preview]:
    """Upload the package and make the change set, after the end of whatever else is at work on the stack.

    Returns:
        the change set's name, or NOTHING if there is nothing to change; and what it would do.
    Raises:
        OperationFailed: it can't be made. None is left.
    """
    if inputs.template is None:
        raise OperationFailed(
            "There is no template", "A change set is made from the built template. Build first."
        )
    stack = Stack(inputs.stack, inputs.region)
    clear_failed_creation(stack, stack.wait_until_idle(inputs.wait_seconds, actions.say))
    found = preview(
        PreviewInputs(
            template=inputs.template,
            stack=inputs.stack,
            region=inputs.region,
            parameters=inputs.parameters,
            change_set=inputs.name,
            kept=True,
            tags=inputs.tags,
            revert_drift=inputs.revert_drift,
        )
    )
    there = fetch_change_set(stack.cloudformation, inputs.stack, inputs.name)
    return (inputs.name if there else NOTHING), found


def check_change_set(inputs: Inputs) -> Path | None:
    """Check that executing the change set does what was approved, and nothing else. If not, delete it.

    Returns:
        a file with its template; None if it is NOTHING.
    Raises:
        OperationFailed: the change set is gone, or something has moved since it was made; says what to do.
    """
    if inputs.name == NOTHING:
        return None
    account = Account(inputs.region)
    stack = Stack(inputs.stack, inputs.region)
    cloudformation = stack.cloudformation
    found = fetch_change_set(cloudformation, inputs.stack, inputs.name)
    if found is None:
        raise OperationFailed(
            "The approved change set is gone",
            "Somebody deleted it, or another deployment ran meanwhile, which deletes all change sets of a stack."
            " Run the workflow again for a new one, and approve that.",
        )
    body = cloudformation.get_template(
        StackName=inputs.stack, ChangeSetName=found.id, TemplateStage="Original"
    )["TemplateBody"]
    template = SourceTemplate.parse(body if isinstance(body, str) else json.dumps(body))  # boto3 parses JSON
    moved = (
        _find_moved(stack, found)
        or _find_settings(account, template, found, inputs)
        or _find_package(account, template, found)
    )
    if moved:
        delete_change_set(cloudformation, inputs.stack, inputs.name)
        title, detail = moved
        raise OperationFailed(title, f"{detail} {_AGAIN}")
    file = inputs.scratch / "approved-template.yaml"
    file.write_text(template.text, encoding="utf-8")
    return file


def discard_change_set(inputs: Inputs) -> None:
    """Delete the change set, and the empty stack that it would have created."""
    stack = Stack(inputs.stack, inputs.region)
    delete_change_set(stack.cloudformation, inputs.stack, inputs.name)
    there = stack.describe()
    if there and there.status == "REVIEW_IN_PROGRESS" and not _list_names(stack.cloudformation, inputs.stack):
        stack.cloudformation.delete_stack(StackName=inputs.stack)


Moved = tuple[str, str]
"""What is no longer as it was approved: a title, and the details."""


def _find_moved(stack: Stack, found: ChangeSet) -> Moved | None:
    if found.execution.startswith("EXECUTE"):
        return "The approved change set has run already", f"It is in {found.execution}."
    there = stack.describe()
    later = there is not None and there.state.deployed and there.begun > found.created
    if found.execution == "OBSOLETE" or later:
        return (
            "The stack has changed since the change set was made",
            "Another deployment ran, or somebody changed the stack.",
        )
    if not found.executable:
        return "The approved change set can't be executed", f"It is in {found.status}, {found.execution}."
    return None


def _find_settings(
    account: Account, template: SourceTemplate, found: ChangeSet, inputs: Inputs
) -> Moved | None:
    """Compare the settings of this job with those that were approved. They may come from another environment."""
    values = fill_parameters(template, inputs.parameters)
    if values.get(BOUNDARY) == "":
        values[BOUNDARY] = fetch_stack_boundary(account, inputs.stack)
    if PROVENANCE in values:
        values[PROVENANCE] = found.parameters.get(PROVENANCE, "")
    values = complete_parameters(template, values)
    other = [
        name for name, value in values.items() if name not in HIDDEN and found.parameters.get(name) != value
    ]
    if not other:
        return None
    return (
        "The settings are not those that were approved",
        f"They differ in {', '.join(sorted(other))}. A GitHub environment may have secrets and variables of its own:"
        " the jobs before and after the approval must have the same.",
    )


def _find_package(account: Account, template: SourceTemplate, found: ChangeSet) -> Moved | None:
    """Compare what lies in the bucket with the digest that was approved."""
    approved = Provenance.find(found.parameters.get(PROVENANCE, ""))
    if approved is None:
        return None
    for bucket, key in list_packages(template):
        digest = hashlib.sha256()
        body = account.client("s3").get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=account.id)["Body"]
        for block in body.iter_chunks(_BLOCK):
            digest.update(block)
        if base64.b64encode(digest.digest()).decode() != approved.package:
            return (
                "The package is not the one that was approved",
                "Somebody replaced it in the bucket. Find out in CloudTrail who wrote to the bucket.",
            )
    return None


def _list_names(cloudformation: Any, stack: str) -> list[str]:
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack)
    return [one["ChangeSetName"] for page in pages for one in page["Summaries"]]
