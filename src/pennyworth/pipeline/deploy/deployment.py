"""A deployment with `sam deploy`: its events told as they happen, and a failed one taken back as far as callers go."""

import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import ClientError

from pennyworth.aws.account import Account
from pennyworth.aws.change_sets import ChangeSet, fetch_change_set
from pennyworth.aws.function_versions import find_function
from pennyworth.aws.packages import find_package_bucket
from pennyworth.aws.provenance import PARAMETER as PROVENANCE
from pennyworth.aws.snapshot import Snapshot
from pennyworth.aws.snapshot import read_parameters as read_parameters_of
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack import Change, Event, Stack, check_deployable
from pennyworth.aws.stack_events import Progress
from pennyworth.aws.stack_parameters import PARAMETER, PARAMETERS, read_parameters
from pennyworth.aws.stack_states import Then
from pennyworth.aws.tags import TAGS, read_tags
from pennyworth.github import actions
from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.host.processes import Child
from pennyworth.pipeline.deploy.parameter_file import parameter_file
from pennyworth.pipeline.deploy.parameters import (
    BOUNDARY,
    complete_parameters,
    fetch_stack_boundary,
    fill_parameters,
)
from pennyworth.pipeline.deploy.provenance import make_provenance
from pennyworth.pipeline.deploy.secret_parameters import find_secrets

NOTHING = "nothing"
"""In the place of a change set's name, if there was nothing to change."""

_NOTHING_BEGUN = "The stack was not changed. What sam says:"
_CUT_OFF = (
    "CloudFormation goes on by itself. Wait for the end, then run this again with a longer `role-duration-seconds`,"
    " after `pennyworth bootstrap --max-session-seconds` has allowed it. What sam says:"
)
_UPDATE_FAILED = "CloudFormation puts the stack back to what it was before. What failed first:"
_CREATION_FAILED = "Nothing of it is left running; the next run clears away what remains. What failed first:"

_BROKEN_BUCKET = (
    "The account's bucket for SAM's packages can't be used. `pennyworth bootstrap` gives the endpoint a bucket of its"
    " own. Or delete the stack aws-sam-cli-managed-default, which SAM then creates anew. What sam says:"
)

# how sam tells that another operation was quicker than this one
_TOO_LATE = re.compile(
    r"_IN_PROGRESS state and can ?not be|OBSOLETE|InvalidChangeSetStatus|ChangeSetNotFound"
    r"|(ChangeSet|Stack) \[[^]]*\] (already exists|does not exist)"
    r"|missing the managed source bucket key"  # sam's own bucket, which another one's sam is making
)
_EXPIRED = re.compile(r"ExpiredToken|security token included in the request is expired")
_LAST_ERROR = re.compile(r"\A.*^(?=Error: )", re.MULTILINE | re.DOTALL)
_VALIDATION = "DescribeEvents"  # which CloudFormation tells its reader to call
_SAMS_STACK = re.compile(r"aws-sam-cli-managed-default(?!-)")
_WELL = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
_ATTEMPTS = 10
_LOOK_SECONDS = 2.0
_WAIT_MINUTES = 30.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is deployed, and where."""

    template: Path
    """The built template. Not read if there is a change set."""
    stack: str
    region: str
    parameters: Mapping[str, str]
    """Values by the stack parameters' names. One that is empty or absent is the template's default, so that what is
    removed from the settings is removed from the stack."""
    environ: Mapping[str, str]
    """What sam runs in."""
    scratch: Path
    """Where files may lie for as long as sam runs."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What everything in the stack is tagged with, and nothing else: other tags of the stack are taken away."""
    change_set: str = ""
    """The name of a change set to execute, or NOTHING. Empty: `sam deploy` makes one and executes it."""
    wait_seconds: float = 60 * _WAIT_MINUTES
    """For how long another operation on the stack is waited for."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: STACK_NAME, AWS_REGION, TEMPLATE or CHANGE_SET; and, if wanted, the parameters, TAGS
        and WAIT_MINUTES.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        change_set = environ.get("CHANGE_SET", "").strip()
        template = "" if change_set else actions.required(environ, "TEMPLATE")
        stack, region = (actions.required(environ, name) for name in ("STACK_NAME", "AWS_REGION"))
        return cls(
            template=Path(template),
            stack=stack,
            region=region,
            parameters=read_parameters(environ),
            environ={
                name: value
                for name, value in environ.items()
                if name != PARAMETERS and not name.startswith(PARAMETER)
            }
            | {"SAM_CLI_TELEMETRY": "0", "AWS_REGION": region},
            scratch=Path(environ.get("RUNNER_TEMP") or made("tmp")),
            tags=read_tags(environ.get(TAGS, "").splitlines()),
            change_set=change_set,
            wait_seconds=60 * actions.number(environ, "WAIT_MINUTES", _WAIT_MINUTES),
        )

    def secrets(self) -> list[str]:
        """What must stand in no log."""
        return find_secrets(self.parameters)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that ended well."""

    changes: list[Change]
    existed: bool
    """Whether there was a stack before."""
    recovered: bool
    """Whether the remains of a failed first deployment were deleted."""
    version: str
    """The function's version that callers reach now; empty where the stack has no function behind an alias."""
    previous_version: str
    """The one that they reached before; empty after a first deployment."""
    resumed: bool
    """Whether an earlier rollback had put another version before callers."""
    outputs: Mapping[str, str]
    """The stack's."""
    parameters: Mapping[str, str]
    """The values of all of the template's parameters."""
    region: str

    @property
    def url(self) -> str:
        """The endpoint's base URL."""
        return self.outputs.get("CustomDomainUrl") or self.outputs.get("ApiUrl", "")


def deploy(inputs: Inputs, deployed: Callable[[str], None] = lambda _: None) -> Deployment:
    """Deploy, after the end of whatever else is at work on the stack.

    Args:
        inputs: what is deployed, and where.
        deployed: is told the version that callers reached before, as soon as they may reach another one.
    Raises:
        OperationFailed: with the first cause.
    """
    stack = Stack(inputs.stack, inputs.region)
    if inputs.change_set:
        done, values = _execute(stack, inputs)
    else:
        done, values = _deploy_with_sam(stack, inputs)
    deployed(done.previous_version)
    after = stack.describe()
    function = find_function(after)
    # an earlier rollback may have put another version there, of which CloudFormation knows nothing
    resumed = function is not None and function.fetch_live_version() != function.wanted
    if function and resumed:
        function.point_at(function.wanted)
    return Deployment(
        changes=stack.list_changes(done.events),
        existed=done.existed,
        recovered=done.recovered,
        version=function.wanted if function else "",
        previous_version=done.previous_version,
        resumed=resumed,
        outputs=after.outputs if after else {},
        parameters=values,
        region=inputs.region,
    )


def _deploy_with_sam(stack: Stack, inputs: Inputs) -> tuple["_Done", Mapping[str, str]]:
    """Deploy with `sam deploy`. Returns what was done, and the values of the template's parameters."""
    template = SourceTemplate.read(inputs.template)
    values = fill_parameters(template, inputs.parameters)
    account = Account(inputs.region)
    if values.get(BOUNDARY) == "":
        values[BOUNDARY] = fetch_stack_boundary(account, inputs.stack)
    if values.get(PROVENANCE) == "":
        values[PROVENANCE] = make_provenance(inputs.template, read_parameters_of(stack.describe()))
    values = complete_parameters(template, values)
    bucket = find_package_bucket(account, inputs.stack)
    run = partial(_run_sam_deploy, values, bucket, inputs)
    return _deploy(stack, run, inputs.wait_seconds), values


def _execute(stack: Stack, inputs: Inputs) -> tuple["_Done", Mapping[str, str]]:
    """Execute a change set. Returns what was done, and the values of the template's parameters."""
    if inputs.change_set == NOTHING:
        return _deploy(stack, lambda _: None, inputs.wait_seconds), read_parameters_of(stack.describe())
    found = fetch_change_set(stack.cloudformation, inputs.stack, inputs.change_set)
    if found is None:
        raise OperationFailed(
            "The change set is gone", "Nothing was changed. Run the workflow again for a new one."
        )
    return _deploy(stack, partial(_run_change_set, stack, found), inputs.wait_seconds), found.parameters


class _Done(NamedTuple):
    events: list[Event]
    existed: bool
    recovered: bool
    previous_version: str


def _deploy(stack: Stack, run: Callable[[Progress], str | None], wait_seconds: float) -> _Done:
    """Deploy with a function that returns what went wrong, as soon as nothing else is at work on the stack."""
    until = time.monotonic() + wait_seconds
    attempts = 0
    while True:
        before = stack.wait_until_idle(max(until - time.monotonic(), 0), actions.say)
        recovered = clear_failed_creation(stack, before)
        if recovered:
            before = None
        existed = before is not None and before.state.deployed
        function = find_function(before)
        previous = (function.fetch_live_version() if function else None) or ""
        began = datetime.now(UTC)
        progress = Progress(stack, stack.fetch_last_event())
        said = run(progress)
        if said is None:
            return _Done(progress.events, existed, recovered, previous)
        attempts += 1
        if not _TOO_LATE.search(said):
            break
        if attempts == _ATTEMPTS or time.monotonic() > until:
            raise OperationFailed("The deployment failed", _NOTHING_BEGUN, said)
        actions.say("Another operation on the stack was quicker: once more, after its end.")
        time.sleep(_LOOK_SECONDS)
    said = _LAST_ERROR.sub("", said)  # before it, sam lists the parameters and its bucket
    if _EXPIRED.search(said):
        raise OperationFailed("The AWS credentials have expired", _CUT_OFF, said)
    if not progress.events and _SAMS_STACK.search(said):
        raise OperationFailed("The deployment failed", _BROKEN_BUCKET, said)
    cause = stack.find_first_cause(progress.events) or said
    # it refuses a change set, or says so as the stack's first event, and the reasons are in neither
    if (cause is said or _VALIDATION in cause) and (refusal := stack.explain_refusal(began)):
        cause = refusal
    aftermath = (
        _NOTHING_BEGUN
        if not progress.events
        else f"{_keep_version(stack, previous)}{_UPDATE_FAILED}"
        if existed
        else _CREATION_FAILED
    )
    raise OperationFailed("The deployment failed", aftermath, cause)


def clear_failed_creation(stack: Stack, before: Snapshot | None) -> bool:
    """Delete what a failed first deployment left; whether there was anything.

    Raises:
        OperationFailed: the stack takes no deployment, and is left alone.
    """
    if before is None:
        return False
    if before.state.then is Then.RECREATE:
        stack.delete_failed_creation()
        return True
    check_deployable(before)
    return False


def _keep_version(stack: Stack, version: str) -> str:
    """Have callers reach the version that they reached before a failed update; says so where that took a call.

    CloudFormation puts the stack's own previous version back, which may be one that a rollback had taken from them.
    """
    function = find_function(stack.describe())
    if not function or not version or function.fetch_live_version() == version:
        return ""
    function.point_at(version)
    return f"Callers reach version {version}, as before. "


def _run_change_set(stack: Stack, found: ChangeSet, progress: Progress) -> str | None:
    """Execute a change set and wait for its end; what went wrong, if it failed."""
    try:
        stack.cloudformation.execute_change_set(StackName=stack.name, ChangeSetName=found.id)
    except ClientError as failure:
        raise OperationFailed(
            "The change set can't be executed",
            "Nothing was changed. Run the workflow again for a new one. CloudFormation says:",
            str(failure),
        ) from failure
    while True:
        time.sleep(_LOOK_SECONDS)
        progress.look()
        # the stack's own events begin and end an update, even one that changes no resource
        if progress.events and (there := stack.describe()) and not there.busy:
            progress.look()
            return None if there.status in _WELL else there.status


def _run_sam_deploy(
    values: Mapping[str, str], bucket: str | None, inputs: Inputs, progress: Progress
) -> str | None:
    """Run `sam deploy`; what it said last where it failed. Its own tables are folded away, below the events."""
    with (
        parameter_file(values, inputs.scratch) as file,
        tempfile.TemporaryDirectory(prefix="sam-deploy-", dir=inputs.scratch) as private,
    ):
        command: list[str | Path] = [environment("tools") / "sam", "deploy"]
        command += ["--template-file", inputs.template]
        command += ["--stack-name", inputs.stack]
        command += ["--parameter-overrides", file]
        command += ["--capabilities", "CAPABILITY_IAM"]
        # without bootstrap there is no bucket of the endpoint's own, and sam's serves all projects of the account
        command += ["--s3-bucket", bucket] if bucket else ["--resolve-s3"]
        command += ["--s3-prefix", inputs.stack]
        if inputs.tags:
            command += ["--tags", *(f"{name}={value}" for name, value in inputs.tags.items())]
        command += ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
        with Child(command, log=Path(private, "log"), env=dict(inputs.environ)) as sam:
            looked = time.monotonic()
            while sam.running():
                time.sleep(0.1)
                if time.monotonic() - looked > _LOOK_SECONDS:
                    progress.look()
                    looked = time.monotonic()
            status = sam.wait()
        progress.look()
        with actions.group("sam deploy"):
            actions.say(sam.log.read_text(errors="replace").rstrip())
        return sam.tail() if status else None
