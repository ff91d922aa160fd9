"""Deploy the stack with `sam deploy`, and say what changed and where it runs."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.exceptions import ClientError

from pennyworth.host.environments import environment
from pennyworth.host.places import made
from pennyworth.pipeline import workflow
from pennyworth.pipeline.parameters import parameter_file
from pennyworth.pipeline.policy.documents import MANAGED_POLICIES
from pennyworth.pipeline.stack import Change, Stack

TITLE = "Deployment"

PARAMETER = "PARAMETER_"
"""What stands before a stack parameter's name in the environment."""

BOUNDARY = "PermissionsBoundaryArn"
"""The stack parameter that caps the stack's roles."""

SECRETS = {
    # where the secrets are in each
    "PARAMETER_ApiKeys": re.compile(r"([^,]+)"),  # comma-separated
    "PARAMETER_ProviderCredentials": re.compile(r"^\s*(?:export\s+)?\w+\s*=(.*)", re.MULTILINE),  # dotenv
}

_NOTHING_BEGUN = "Nothing was changed. What sam says:"
_UPDATE_FAILED = "CloudFormation puts the stack back to what it was before. What failed first:"
_CREATION_FAILED = "Nothing of it is left running; the next run clears away what remains. What failed first:"

_SHORTEST_SECRET = 8  # a shorter value is a setting: masking it would blank half the log


def run(environ: dict[str, str]) -> str:
    """Deploy.

    Args:
        environ: TEMPLATE, the built template's path; STACK_NAME; AWS_REGION; PARAMETER_* for the stack's
            parameters. One that is empty or absent is the template's default, so that what is removed from the
            settings is removed from the stack.
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
    recovered = stack.make_deployable()
    existed = stack.status() not in {None, "REVIEW_IN_PROGRESS"}
    marker = stack.last_event()
    values = parameters(template, environ)
    if values.get(BOUNDARY) == "":
        values[BOUNDARY] = stack_boundary(environ["AWS_REGION"])
    said = _sam_deploy(stack.name, template, values, environ)
    events = stack.events_since(marker)
    if said is not None:
        aftermath = _UPDATE_FAILED if existed else _CREATION_FAILED
        raise workflow.StepFailed(
            "The deployment failed",
            aftermath if events else _NOTHING_BEGUN,
            stack.first_cause(events) or said,
        )
    changes = stack.changes(events)
    workflow.output("changed", "true" if changes else "false")
    return _report(stack.outputs(), changes, existed, recovered)


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


def _sam_deploy(stack: str, template: Path, values: dict[str, str], environ: Mapping[str, str]) -> str | None:
    """Run `sam deploy`; what it said last where it failed."""
    folder = Path(environ.get("RUNNER_TEMP") or made("tmp"))
    with parameter_file(values, folder) as file:
        command = [
            *(str(environment("tools") / "sam"), "deploy", "--template-file", str(template)),
            *("--stack-name", stack, "--parameter-overrides", file, "--capabilities", "CAPABILITY_IAM"),
            # the bucket serves every SAM project of the account: the role may write below this prefix alone
            *("--resolve-s3", "--s3-prefix", stack),
            *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
        ]
        with (
            workflow.group("sam deploy"),
            subprocess.Popen(
                command,
                env={name: value for name, value in environ.items() if not name.startswith(PARAMETER)}
                | {"SAM_CLI_TELEMETRY": "0", "AWS_REGION": environ["AWS_REGION"]},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as sam,
        ):
            assert sam.stdout  # noqa: S101 - asked for above
            lines = []
            for line in sam.stdout:
                workflow.say(line.rstrip("\n"))
                lines.append(line)
        return "".join(lines[-20:]) if sam.returncode else None


def _report(outputs: Mapping[str, str], changes: list[Change], existed: bool, recovered: bool) -> str:
    what = (
        "Nothing had changed: the stack is as it was."
        if not changes
        else f"{'Updated' if existed else 'Created'}: {len(changes)} resources."
    )
    if recovered:
        what += " The remains of an earlier, failed first deployment were deleted before."
    base = outputs.get("CustomDomainUrl") or outputs.get("ApiUrl", "")
    where = workflow.table(
        ("", ""),
        [
            ("Base URL", f"`{base}`"),
            ("Function", f"`{outputs.get('FunctionName', '')}`"),
            ("Log group", f"`{outputs.get('LogGroupName', '')}`"),
        ],
    )
    report = f"{what}\n\n{where}"
    if changes:
        rows = [(change.action, change.resource, change.type) for change in changes]
        listed = workflow.table(("", "resource", "type"), rows)
        report += f"\n\n<details><summary>What changed</summary>\n\n{listed}\n\n</details>"
    return report


class _TemplateLoader(yaml.SafeLoader):
    """Reads a template's parameters; what CloudFormation's own tags stand for is of no interest here."""


_TemplateLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
