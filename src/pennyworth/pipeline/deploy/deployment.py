"""A deployment with `sam deploy`: its events told as they happen, and a failed one taken back as far as callers go."""

import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pennyworth.aws.account import Account
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
_ATTEMPTS = 10
_LOOK_SECONDS = 2.0
_WAIT_MINUTES = 30.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is deployed, and where."""

    template: Path
    """The built template."""
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
    wait_seconds: float = 60 * _WAIT_MINUTES
    """For how long another operation on the stack is waited for."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: TEMPLATE, STACK_NAME, AWS_REGION and, if wanted, the parameters, TAGS, WAIT_MINUTES.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        template, stack, region = (
            actions.required(environ, name) for name in ("TEMPLATE", "STACK_NAME", "AWS_REGION")
        )
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
    template = SourceTemplate.read(inputs.template)
    values = fill_parameters(template, inputs.parameters)
    account = Account(inputs.region)
    if values.get(BOUNDARY) == "":
        values[BOUNDARY] = fetch_stack_boundary(account, inputs.stack)
    if values.get(PROVENANCE) == "":
        values[PROVENANCE] = make_provenance(inputs.template, read_parameters_of(stack.describe()))
    values = complete_parameters(template, values)
    done = _deploy(stack, values, find_package_bucket(account, inputs.stack), inputs)
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


class _Done(NamedTuple):
    events: list[Event]
    existed: bool
    recovered: bool
    previous_version: str


def _deploy(stack: Stack, values: Mapping[str, str], bucket: str | None, inputs: Inputs) -> _Done:
    until = time.monotonic() + inputs.wait_seconds
    attempts = 0
    while True:
        before = stack.wait_until_idle(max(until - time.monotonic(), 0), actions.say)
        recovered = _clear_failed_creation(stack, before)
        if recovered:
            before = None
        existed = before is not None and before.state.deployed
        function = find_function(before)
        previous = (function.fetch_live_version() if function else None) or ""
        began = datetime.now(UTC)
        progress = Progress(stack, stack.fetch_last_event())
        said = _run_sam_deploy(values, bucket, inputs, progress)
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


def _clear_failed_creation(stack: Stack, before: Snapshot | None) -> bool:
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
