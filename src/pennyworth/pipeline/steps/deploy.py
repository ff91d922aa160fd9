"""Deploy the stack with `sam deploy`, tell its events as they happen, and say what changed and where it runs."""

import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pennyworth.aws.function_versions import deployed
from pennyworth.aws.stack import Change, Event, Stack
from pennyworth.aws.stack_events import Progress
from pennyworth.github import actions
from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.host.processes import Child
from pennyworth.pipeline.cost import as_markdown, estimate
from pennyworth.pipeline.deploy.parameter_file import parameter_file
from pennyworth.pipeline.deploy.parameters import (
    BOUNDARY,
    PARAMETER,
    RELEASE,
    SECRETS,
    parameters,
    release,
    secret_values,
    stack_boundary,
)

TITLE = "Deployment"

_NOTHING_BEGUN = "Nothing was changed. What sam says:"
_UPDATE_FAILED = "CloudFormation puts the stack back to what it was before. What failed first:"
_CREATION_FAILED = "Nothing of it is left running; the next run clears away what remains. What failed first:"

# how sam tells that another operation was quicker than this one
_TOO_LATE = re.compile(
    r"_IN_PROGRESS state and can ?not be|OBSOLETE|InvalidChangeSetStatus|ChangeSetNotFound"
    r"|(ChangeSet|Stack) \[[^]]*\] (already exists|does not exist)"
    r"|missing the managed source bucket key"  # sam's own bucket, which another one's sam is making
)
_ATTEMPTS = 10
_LOOK_SECONDS = 2.0


def run(environ: dict[str, str]) -> str:
    """Deploy. Sets the step's outputs `changed`, `version` and `former-version`.

    Args:
        environ: TEMPLATE, the built template's path; STACK_NAME; AWS_REGION; PARAMETER_* for the stack's
            parameters. One that is empty or absent is the template's default, so that what is removed from the
            settings is removed from the stack; Release is by default a digest of the others. If wanted WAIT_MINUTES,
            for how long another operation on the stack is waited for.
    Returns:
        what changed and where it runs.
    Raises:
        OperationFailed: with the first cause.
    """
    for name in SECRETS:
        for secret in secret_values(name, environ.get(name, "")):
            actions.mask(secret)
    template = Path(actions.required(environ, "TEMPLATE"))
    stack = Stack(actions.required(environ, "STACK_NAME"), actions.required(environ, "AWS_REGION"))
    values = parameters(template, environ)
    if values.get(BOUNDARY) == "":
        values[BOUNDARY] = stack_boundary(environ["AWS_REGION"])
    if values.get(RELEASE) == "":
        values[RELEASE] = release(values)
    done = _deployed(stack, template, values, environ)
    changes = stack.changes(done.events)
    actions.output("changed", "true" if changes else "false")
    put_forward = ""
    if now := deployed(stack):
        actions.output("version", now.wanted)
        actions.output("former-version", done.former)
        if now.live() != now.wanted:
            # an earlier rollback has put another one there, of which CloudFormation knows nothing
            now.point_at(now.wanted)
            put_forward = f" Callers reach version {now.wanted} again, which a rollback had taken back."
    report = _report(stack.outputs(), changes, done.existed, done.recovered, put_forward)
    if "MemorySize" in values:  # it is this project's template
        cost = as_markdown(estimate(values, stack.region))
        report += f"\n\n<details><summary>What it costs</summary>\n\n{cost}\n\n</details>"
    return report


class _Done(NamedTuple):
    """A deployment that ended well."""

    events: list[Event]
    existed: bool
    """Whether there was a stack before."""
    recovered: bool
    """Whether the remains of a failed first deployment were deleted."""
    former: str
    """The version that callers reached before; empty after a first deployment."""


def _deployed(stack: Stack, template: Path, values: dict[str, str], environ: Mapping[str, str]) -> _Done:
    """Deploy, after the end of whatever else is at work on the stack.

    Raises:
        OperationFailed: with the first cause.
    """
    until = time.monotonic() + 60 * actions.number(environ, "WAIT_MINUTES", 30)
    attempts = 0
    while True:
        stack.wait_until_idle(max(until - time.monotonic(), 0), actions.say)
        recovered = stack.make_deployable()
        existed = stack.status() not in {None, "REVIEW_IN_PROGRESS"}
        before = deployed(stack)
        former = (before.live() if before else None) or ""
        progress = Progress(stack, stack.last_event())
        said = _sam_deploy(stack.name, template, values, environ, progress)
        if said is None:
            return _Done(progress.events, existed, recovered, former)
        attempts += 1
        if not _TOO_LATE.search(said):
            break
        if attempts == _ATTEMPTS or time.monotonic() > until:
            raise OperationFailed("The deployment failed", _NOTHING_BEGUN, said)
        actions.say("Another operation on the stack was quicker: once more, after its end.")
        time.sleep(_LOOK_SECONDS)
    cause = stack.first_cause(progress.events) or said
    aftermath = (
        _NOTHING_BEGUN
        if not progress.events
        else f"{_kept(stack, former)}{_UPDATE_FAILED}"
        if existed
        else _CREATION_FAILED
    )
    raise OperationFailed("The deployment failed", aftermath, cause)


def _kept(stack: Stack, version: str) -> str:
    """Have callers reach the version that they reached before a failed update; says so where that took a call.

    CloudFormation puts the stack's own former version back, which may be one that a rollback had taken from them.
    """
    now = deployed(stack)
    if not now or not version or now.live() == version:
        return ""
    now.point_at(version)
    return f"Callers reach version {version}, as before. "


def _sam_deploy(
    stack: str, template: Path, values: dict[str, str], environ: Mapping[str, str], progress: Progress
) -> str | None:
    """Run `sam deploy`; what it said last where it failed. Its own tables are folded away, below the events."""
    folder = Path(environ.get("RUNNER_TEMP") or made("tmp"))
    with (
        parameter_file(values, folder) as file,
        tempfile.TemporaryDirectory(prefix="sam-deploy-", dir=folder) as private,
    ):
        command: list[str | Path] = [
            *(environment("tools") / "sam", "deploy", "--template-file", template),
            *("--stack-name", stack, "--parameter-overrides", file, "--capabilities", "CAPABILITY_IAM"),
            # the bucket serves every SAM project of the account: the role may write below this prefix alone
            *("--resolve-s3", "--s3-prefix", stack),
            *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
        ]
        own = {name: value for name, value in environ.items() if not name.startswith(PARAMETER)}
        own |= {"SAM_CLI_TELEMETRY": "0", "AWS_REGION": environ["AWS_REGION"]}
        with Child(command, log=Path(private, "log"), env=own) as sam:
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


def _report(
    outputs: Mapping[str, str], changes: list[Change], existed: bool, recovered: bool, put_forward: str
) -> str:
    what = (
        "Nothing had changed: the stack is as it was."
        if not changes
        else f"{'Updated' if existed else 'Created'}: {len(changes)} resources."
    )
    if recovered:
        what += " The remains of an earlier, failed first deployment were deleted before."
    base = outputs.get("CustomDomainUrl") or outputs.get("ApiUrl", "")
    places = {
        "Base URL": base,
        "Function": outputs.get("FunctionName", ""),
        "Version": outputs.get("FunctionVersion", "").rpartition(":")[2],
        "Log group": outputs.get("LogGroupName", ""),
        "Dashboard": outputs.get("DashboardUrl", ""),
    }
    where = actions.table(("", ""), [(name, f"`{place}`") for name, place in places.items() if place])
    report = f"{what}{put_forward}\n\n{where}"
    if changes:
        slowest = sorted(changes, key=lambda change: -change.seconds)
        rows = [
            (change.action, change.resource, change.type, actions.duration(change.seconds))
            for change in slowest
        ]
        listed = actions.table(("", "resource", "type", "time"), rows)
        report += f"\n\n<details><summary>What changed, slowest first</summary>\n\n{listed}\n\n</details>"
    return report
