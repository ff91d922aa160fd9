"""Compare what a template would make with what is deployed."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.deployed_template import DeployedTemplate, fetch_deployed_template
from pennyworth.aws.errors import AWS_FAILURES
from pennyworth.aws.name_conflicts import Conflict, find_conflicts
from pennyworth.aws.packages import find_package_bucket
from pennyworth.aws.provenance import PARAMETER as PROVENANCE
from pennyworth.aws.source_template import SourceTemplate, TemplateRefused
from pennyworth.aws.stack_parameters import read_parameters
from pennyworth.aws.template_values import EvaluatedTemplate
from pennyworth.github import actions
from pennyworth.github.masking import PUBLIC, masked
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline import cost
from pennyworth.pipeline.deploy import parameters as stack_parameters
from pennyworth.pipeline.deploy.provenance import make_provenance
from pennyworth.pipeline.preview import permissions
from pennyworth.pipeline.preview.changeset import Kept, ResourceChange, fetch_changes, parse_changes
from pennyworth.pipeline.preview.packaged import Packaged, find_bucket, pack
from pennyworth.pipeline.preview.parameter_changes import SECRET, Setting, Settings, compare_parameters

_NAME = "pennyworth-preview"
_HIDDEN = "****"  # in CloudFormation's place of a value that it shows nobody
_ACCOUNT = re.compile(r"\b\d{12}\b")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is asked for."""

    template: Path
    """The built template."""
    stack: str
    region: str
    parameters: Mapping[str, str]
    """Values by the stack parameters' names. One that is empty or absent is the template's default, as in a deployment,
    unless `keep` is set."""
    change_set: str
    """What the change set is called that is made and deleted."""
    keep: bool = False
    """Whether parameters that are not given stay what the deployed stack has."""
    kept: bool = False
    """Whether the packages are uploaded and the change set is kept, so that it can be executed."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What everything in the stack is tagged with. Only with `kept`."""
    revert_drift: bool = False
    """Whether the change set also undoes what somebody changed by hand. Only with `kept`."""
    hide: bool = True
    """Whether *** stands for whatever is a secret of the repository: the stack's name, its region and account, its
    domain. In failures, too."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: TEMPLATE, STACK_NAME, AWS_REGION, the parameters, and PULL_REQUEST, whose change set
        has a name of its own.

        Raises:
            OperationFailed: one is missing.
        """
        template = Path(actions.required(environ, "TEMPLATE"))
        if not template.is_file():
            raise OperationFailed("There is no template", f"{template} is no file. Build first.")
        return cls(
            template=template,
            stack=actions.required(environ, "STACK_NAME"),
            region=actions.required(environ, "AWS_REGION"),
            parameters=read_parameters(environ),
            change_set=f"{_NAME}-{environ.get('PULL_REQUEST') or 'by-hand'}",
        )

    @classmethod
    def by_hand(
        cls, template: Path, stack: str, region: str, parameters: Mapping[str, str], *, hide: bool
    ) -> "Inputs":
        """What a person asks for, who says what shall change and nothing else."""
        name = f"{_NAME}-{secrets.token_hex(4)}"
        return cls(template, stack, region, parameters, name, keep=True, hide=hide)


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
    conflicts: tuple[Conflict, ...] = ()
    """What is in the way of a first deployment. A later one's are found by CloudFormation."""
    kept: bool = field(default=False, metadata=PUBLIC)
    """Whether its change set is kept."""

    @property
    def nothing(self) -> bool:
        """Whether a deployment would change nothing."""
        return self.state is State.UPDATE and not (self.resources or self.settings or self.permissions)


def preview(inputs: Inputs) -> Preview:
    """See what a deployment would do. Nothing is changed, nor uploaded unless the change set is kept.

    Raises:
        OperationFailed: CloudFormation or SAM's transform refuses the template, or AWS the credentials; or a parameter
            is none of the template's.
    """
    hidden = [inputs.stack, inputs.region]
    try:
        found = _compare(inputs, hidden)
    except Unprepared as failure:
        raise _told(_refused(failure.__cause__ or failure), hidden, hide=inputs.hide) from None
    except OperationFailed as failure:
        raise _told(failure, hidden, hide=inputs.hide) from None
    except AWS_FAILURES as failure:
        raise _told(_refused(failure), hidden, hide=inputs.hide) from None
    return masked(found, hidden) if inputs.hide else found


def _refused(failure: BaseException) -> OperationFailed:
    return OperationFailed(
        "AWS can't be asked",
        "Check that these credentials have the permissions in policies/view.json. What AWS says:",
        str(failure),
    )


def _compare(inputs: Inputs, hidden: list[str]) -> Preview:
    """The preview as it is. Adds to the secrets whatever it meets."""
    source = SourceTemplate.read(inputs.template)
    hidden += _hidden(inputs.parameters)
    account = Account(inputs.region)
    hidden.append(account.id)
    cloudformation = account.client("cloudformation")
    there = fetch_deployed_template(cloudformation, inputs.stack)
    before = dict(there.parameters) if there else {}
    hidden += _hidden(before)
    given = _given(inputs, source, before)
    wanted = stack_parameters.fill_parameters(source, given)
    hidden += _hidden(wanted)
    if wanted.get(stack_parameters.BOUNDARY) == "":
        wanted[stack_parameters.BOUNDARY] = stack_parameters.fetch_stack_boundary(account, inputs.stack)
    if wanted.get(PROVENANCE) == "":
        wanted[PROVENANCE] = make_provenance(inputs.template, before)
    wanted = stack_parameters.complete_parameters(source, wanted)
    package = _pack(inputs, source, account, there)
    document = _transform(package.template, wanted)
    named = frozenset(name for name, value in given.items() if value)
    new = compare_parameters(document.get("Parameters") or {}, wanted, named, before)
    coming = {**before, **new.values}
    after = EvaluatedTemplate(document, coming)
    return Preview(
        State.FIRST if not there else State.UPDATE if there.updatable else State.BLOCKED,
        there.status if there else "",
        tuple(_resources(inputs, cloudformation, there, package.template, wanted, new, after)),
        new.changes,
        tuple(permissions.compare_permissions(_evaluate_deployed(there), after)),
        cost.estimate(before, inputs.region, package_bytes=package.package_bytes) if there else None,
        cost.estimate(coming, inputs.region, package_bytes=package.package_bytes),
        () if there else tuple(find_conflicts(account, inputs.stack, source, wanted)),
        inputs.kept,
    )


def _pack(
    inputs: Inputs, source: SourceTemplate, account: Account, there: DeployedTemplate | None
) -> Packaged:
    if not inputs.kept:
        return pack(source, inputs.stack, find_bucket(there.source) if there else None)
    bucket = find_package_bucket(account, inputs.stack)
    if bucket is None:
        raise OperationFailed(
            "There is no bucket for the package",
            "A change set that is approved before it runs needs the endpoint's own bucket: run `pennyworth bootstrap`.",
        )
    return pack(source, inputs.stack, bucket, account.client("s3"))


def _given(inputs: Inputs, source: SourceTemplate, before: Mapping[str, str]) -> Mapping[str, str]:
    """The parameters that are said: with those that stay what the deployed stack has, where that is asked for."""
    if not inputs.keep:
        return inputs.parameters
    kept = {name: value for name, value in before.items() if name in source.parameters and value != _HIDDEN}
    return {**kept, **dict.fromkeys(stack_parameters.RECORDS, ""), **inputs.parameters}


def _resources(
    inputs: Inputs,
    cloudformation: Any,
    there: DeployedTemplate | None,
    template: SourceTemplate,
    wanted: Mapping[str, str],
    new: Settings,
    after: EvaluatedTemplate,
) -> list[ResourceChange]:
    """What would become of the stack's resources; none where it takes no deployment."""
    if inputs.kept and (not there or there.updatable):
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in wanted.items()]
        kept = Kept(not there, inputs.tags, inputs.revert_drift)
        return fetch_changes(cloudformation, inputs.stack, inputs.change_set, template.text, given, kept)
    if not there:
        return _list_all(after)
    if not there.updatable:
        return []
    return fetch_changes(cloudformation, inputs.stack, inputs.change_set, template.text, new.request())


def _evaluate_deployed(there: DeployedTemplate | None) -> EvaluatedTemplate | None:
    if there is None:
        return None
    return EvaluatedTemplate(_transform(there.source, there.parameters), there.parameters)


def _hidden(parameters: Mapping[str, str]) -> list[str]:
    return [value for name in SECRET if (value := parameters.get(name, ""))]


def _told(failure: OperationFailed, hidden: list[str], *, hide: bool) -> OperationFailed:
    if not hide:
        return failure
    # an account that could not be asked for stands in what AWS says all the same
    detail = _ACCOUNT.sub("***", masked(failure.detail, hidden))
    return OperationFailed(failure.title, masked(failure.message, hidden), detail)


def _transform(template: SourceTemplate, values: Mapping[str, str]) -> dict[str, Any]:
    """A template after SAM's transform."""
    try:
        return template.transform(values)
    except TemplateRefused as failure:
        raise OperationFailed(
            "SAM's transform refuses the template", "Fix what it names, then push again.", str(failure)
        ) from failure


def _list_all(evaluated: EvaluatedTemplate) -> list[ResourceChange]:
    """Every resource of a template, as something to be made."""
    return parse_changes(
        {
            "ResourceChange": {
                "Action": "Add",
                "LogicalResourceId": name,
                "ResourceType": resource["Type"],
            }
        }
        for name, resource in evaluated.resources.items()
    )
