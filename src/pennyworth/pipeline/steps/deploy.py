"""Deploy the stack with `sam deploy`, tell its events as they happen, and say what changed and where it runs."""

import hashlib
import json
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import yaml
from botocore.exceptions import ClientError

from pennyworth.host.environments import environment
from pennyworth.host.places import made
from pennyworth.host.processes import Child
from pennyworth.pipeline import workflow
from pennyworth.pipeline.cost import as_markdown, estimate
from pennyworth.pipeline.events import Progress
from pennyworth.pipeline.parameters import parameter_file
from pennyworth.pipeline.policy.documents import MANAGED_POLICIES
from pennyworth.pipeline.stack import Change, Event, Stack
from pennyworth.pipeline.versions import deployed

TITLE = "Deployment"

PARAMETER = "PARAMETER_"
"""What stands before a stack parameter's name in the environment."""

BOUNDARY = "PermissionsBoundaryArn"
"""The stack parameter that caps the stack's roles."""

RELEASE = "Release"
"""The stack parameter that makes a new version of the function whenever it changes."""

BESIDE_THE_FUNCTION = frozenset(
    {"Rollout", "Monitoring", "AlarmEmail", "AlarmTopicArn", "LatencyAlarmSeconds", "LogRetentionDays"}
)
"""Stack parameters that the function knows nothing of: a change of theirs makes no new version."""

SECRETS = {
    # where the secrets are in each
    "PARAMETER_ApiKeys": re.compile(r"([^,]+)"),  # comma-separated
    "PARAMETER_ProviderCredentials": re.compile(r"^\s*(?:export\s+)?\w+\s*=(.*)", re.MULTILINE),  # dotenv
    "PARAMETER_AlarmEmail": re.compile(r"(.+)"),  # somebody's address
}

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
_RELEASE_DIGITS = 12

_SHORTEST_SECRET = 8  # a shorter value is a setting: masking it would blank half the log


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
        StepFailed: with the first cause.
    """
    for name in SECRETS:
        for secret in secret_values(name, environ.get(name, "")):
            workflow.mask(secret)
    template = Path(workflow.required(environ, "TEMPLATE"))
    stack = Stack(workflow.required(environ, "STACK_NAME"), workflow.required(environ, "AWS_REGION"))
    values = parameters(template, environ)
    if values.get(BOUNDARY) == "":
        values[BOUNDARY] = stack_boundary(environ["AWS_REGION"])
    if values.get(RELEASE) == "":
        values[RELEASE] = release(values)
    done = _deployed(stack, template, values, environ)
    changes = stack.changes(done.events)
    workflow.output("changed", "true" if changes else "false")
    put_forward = ""
    if now := deployed(stack):
        workflow.output("version", now.wanted)
        workflow.output("former-version", done.former)
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
        StepFailed: with the first cause.
    """
    until = time.monotonic() + 60 * workflow.number(environ, "WAIT_MINUTES", 30)
    attempts = 0
    while True:
        stack.wait_until_idle(max(until - time.monotonic(), 0), workflow.say)
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
            raise workflow.StepFailed("The deployment failed", _NOTHING_BEGUN, said)
        workflow.say("Another operation on the stack was quicker: once more, after its end.")
        time.sleep(_LOOK_SECONDS)
    cause = stack.first_cause(progress.events) or said
    aftermath = (
        _NOTHING_BEGUN
        if not progress.events
        else f"{_kept(stack, former)}{_UPDATE_FAILED}"
        if existed
        else _CREATION_FAILED
    )
    raise workflow.StepFailed("The deployment failed", aftermath, cause)


def _kept(stack: Stack, version: str) -> str:
    """Have callers reach the version that they reached before a failed update; says so where that took a call.

    CloudFormation puts the stack's own former version back, which may be one that a rollback had taken from them.
    """
    now = deployed(stack)
    if not now or not version or now.live() == version:
        return ""
    now.point_at(version)
    return f"Callers reach version {version}, as before. "


def release(values: Mapping[str, str]) -> str:
    """A digest of the parameters that the function depends on: another one makes a new version of it."""
    seen = {name: value for name, value in values.items() if name not in {RELEASE, *BESIDE_THE_FUNCTION}}
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:_RELEASE_DIGITS]


def parameters(template: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """A value for each of a template's parameters, from the environment or its default."""
    document = yaml.load(template.read_text(), Loader=_TemplateLoader)  # noqa: S506 - it is a safe loader
    declared: dict[str, dict[str, Any]] = document.get("Parameters", {})
    values = {}
    for name, declaration in declared.items():
        given = environ.get(PARAMETER + name) or declaration.get("Default")
        if given is None:
            raise workflow.StepFailed(f"{name} is not set", "The template has no default for it.")
        values[name] = str(given)
    return values


def stack_boundary(region: str) -> str:
    """The ARN of the account's boundary for the stack's roles; empty where the account has none.

    Raises:
        StepFailed: the credentials may not ask.
    """
    caller = boto3.client("sts", region_name=region).get_caller_identity()
    partition = caller["Arn"].split(":")[1]
    arn = f"arn:{partition}:iam::{caller['Account']}:policy/{MANAGED_POLICIES['stack-boundary']}"
    try:
        boto3.client("iam", region_name=region).get_policy(PolicyArn=arn)
    except ClientError as failure:
        if failure.response["Error"]["Code"] == "NoSuchEntity":
            return ""
        raise workflow.StepFailed(
            "It can't be seen whether the stack's roles need a boundary",
            f"Allow iam:GetPolicy on {arn}, as policies/deployment.json does. Then run this again.",
            str(failure),
        ) from failure
    return arn


def secret_values(setting: str, text: str) -> list[str]:
    """Each secret in one of SECRETS: GitHub knows, and masks, only the whole."""
    found = [match.strip().strip("'\"") for match in SECRETS[setting].findall(text)]
    return [secret for secret in found if len(secret) >= _SHORTEST_SECRET]


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
        with workflow.group("sam deploy"):
            workflow.say(sam.log.read_text(errors="replace").rstrip())
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
    where = workflow.table(("", ""), [(name, f"`{place}`") for name, place in places.items() if place])
    report = f"{what}{put_forward}\n\n{where}"
    if changes:
        slowest = sorted(changes, key=lambda change: -change.seconds)
        rows = [
            (change.action, change.resource, change.type, workflow.duration(change.seconds))
            for change in slowest
        ]
        listed = workflow.table(("", "resource", "type", "time"), rows)
        report += f"\n\n<details><summary>What changed, slowest first</summary>\n\n{listed}\n\n</details>"
    return report


class _TemplateLoader(yaml.SafeLoader):
    """Reads a template's parameters; what CloudFormation's own tags stand for is of no interest here."""


_TemplateLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
