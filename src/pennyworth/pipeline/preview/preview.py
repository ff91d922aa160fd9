"""Compare what a template would make with what is deployed."""

import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, NoCredentialsError

from pennyworth.aws.deployed_template import deployed
from pennyworth.aws.template_values import Evaluated
from pennyworth.github.masking import PUBLIC, masked
from pennyworth.host.errors import OperationFailed
from pennyworth.iam.policy.template import TemplateRefused, transformed
from pennyworth.pipeline import cost
from pennyworth.pipeline.deploy import parameters as stack_parameters
from pennyworth.pipeline.preview import permissions
from pennyworth.pipeline.preview.changeset import ResourceChange, parsed, would_change
from pennyworth.pipeline.preview.packaged import bucket_of, packaged
from pennyworth.pipeline.preview.settings import SECRET, Setting, settings

_HIDDEN = "****"  # in CloudFormation's place of a value that it shows nobody
_ACCOUNT = re.compile(r"\b\d{12}\b")


class State(StrEnum):
    """What a deployment would meet."""

    FIRST = "first"
    """No stack: everything would be made."""
    UPDATE = "update"
    BLOCKED = "blocked"
    """A stack that takes no deployment as it is."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a deployment would do."""

    state: State = field(metadata=PUBLIC)
    status: str = field(metadata=PUBLIC)
    """The stack's, such as UPDATE_COMPLETE; empty where there is none."""
    resources: tuple[ResourceChange, ...]
    settings: tuple[Setting, ...]
    permissions: tuple[permissions.Change, ...]
    cost_before: cost.Estimate | None = field(metadata=PUBLIC)
    cost_after: cost.Estimate = field(metadata=PUBLIC)

    @property
    def nothing(self) -> bool:
        """Whether a deployment would change nothing."""
        return self.state is State.UPDATE and not (self.resources or self.settings or self.permissions)


def preview(
    stack: str, region: str, template: Path, environ: Mapping[str, str], name: str, *, hide: bool = True
) -> Preview:
    """See what a deployment would do. Nothing is uploaded, and nothing changed.

    Args:
        stack: its name.
        region: where it is.
        template: the built template's path.
        environ: PARAMETER_*, as the deployment's step gets them.
        name: what the change set is called that is made and deleted.
        hide: whether *** stands for whatever is a secret of the repository: the stack's name, its region and account,
            its domain. In failures, too.
    Raises:
        OperationFailed: CloudFormation or SAM's transform refuses the template, or AWS the credentials.
    """
    hidden = [stack, region]
    try:
        found = _compared(stack, region, template, environ, name, hidden)
    except OperationFailed as failure:
        raise _told(failure, hidden, hide=hide) from None
    except (ClientError, NoCredentialsError) as failure:
        raise _told(_refused(failure), hidden, hide=hide) from None
    return masked(found, hidden) if hide else found


def _refused(failure: Exception) -> OperationFailed:
    return OperationFailed(
        "AWS can't be asked",
        "See that the credentials are those of a role that may what policies/view.json says. What AWS says:",
        str(failure),
    )


def by_hand(stack: str, region: str, template: Path, parameters: Mapping[str, str], *, hide: bool) -> Preview:
    """See what a person's deployment would do, who says what shall change and nothing else.

    Args:
        stack: its name.
        region: where it is.
        template: the built template's path.
        parameters: values by the stack parameters' names. All others stay what the deployed stack has.
        hide: as in `preview`.
    Raises:
        OperationFailed: as in `preview`; or a parameter is none of the template's.
    """
    declared = set(stack_parameters.parameters(template, {}))
    if unknown := sorted(set(parameters) - declared):
        raise OperationFailed(
            f"The template has no parameter {', '.join(unknown)}", f"It has {', '.join(sorted(declared))}."
        )
    try:
        there = deployed(boto3.client("cloudformation", region_name=region), stack)
    except (ClientError, NoCredentialsError) as failure:
        raise _told(_refused(failure), [stack, region], hide=hide) from None
    before = there.parameters if there else {}
    kept = {name: value for name, value in before.items() if name in declared and value != _HIDDEN}
    values = {**kept, stack_parameters.RELEASE: "", **parameters}
    environ = {stack_parameters.PARAMETER + name: value for name, value in values.items()}
    return preview(stack, region, template, environ, f"pennyworth-preview-{secrets.token_hex(4)}", hide=hide)


def _compared(
    stack: str, region: str, template: Path, environ: Mapping[str, str], name: str, hidden: list[str]
) -> Preview:
    """The preview as it is. Adds to the secrets whatever it meets."""
    wanted = stack_parameters.parameters(template, environ)
    given = frozenset(each for each in wanted if environ.get(stack_parameters.PARAMETER + each))
    hidden += _hidden(wanted)
    hidden.append(boto3.client("sts", region_name=region).get_caller_identity()["Account"])
    cloudformation = boto3.client("cloudformation", region_name=region)
    there = deployed(cloudformation, stack)
    before = dict(there.parameters) if there else {}
    hidden += _hidden(before)
    if wanted.get(stack_parameters.BOUNDARY) == "":
        wanted[stack_parameters.BOUNDARY] = stack_parameters.stack_boundary(region)
    if wanted.get(stack_parameters.RELEASE) == "":
        wanted[stack_parameters.RELEASE] = stack_parameters.release(wanted)
    package = packaged(template, stack, bucket_of(there.template) if there else None)
    document = _transformed(package.template, wanted)
    new = settings(document.get("Parameters") or {}, wanted, given, before)
    coming = {**before, **new.values}
    after = Evaluated(document, coming)
    if not there:
        resources = _all_of(after)
    elif there.updatable:
        resources = would_change(cloudformation, stack, name, package.template, new.request())
    else:
        resources = []
    former = Evaluated(_transformed(there.text, before), before) if there else None
    return Preview(
        State.FIRST if not there else State.UPDATE if there.updatable else State.BLOCKED,
        there.status if there else "",
        tuple(resources),
        new.changes,
        tuple(permissions.changes(former, after)),
        cost.estimate(before, region, package_bytes=package.package_bytes) if there else None,
        cost.estimate(coming, region, package_bytes=package.package_bytes),
    )


def _hidden(parameters: Mapping[str, str]) -> list[str]:
    return [value for name in SECRET if (value := parameters.get(name, ""))]


def _told(failure: OperationFailed, hidden: list[str], *, hide: bool) -> OperationFailed:
    if not hide:
        return failure
    # an account that could not be asked for stands in what AWS says all the same
    detail = _ACCOUNT.sub("***", masked(failure.detail, hidden))
    return OperationFailed(failure.title, masked(failure.message, hidden), detail)


def _transformed(text: str, values: Mapping[str, str]) -> dict[str, Any]:
    """A template's text after SAM's transform."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return transformed(path, values)
        except TemplateRefused as failure:
            raise OperationFailed(
                "SAM's transform refuses the template",
                "Mend what it names, then push again.",
                str(failure).replace(f"{path} ", ""),
            ) from failure


def _all_of(evaluated: Evaluated) -> list[ResourceChange]:
    """Every resource of a template, as something to be made."""
    return parsed(
        {
            "ResourceChange": {
                "Action": "Add",
                "LogicalResourceId": name,
                "ResourceType": resource["Type"],
            }
        }
        for name, resource in evaluated.resources.items()
    )
