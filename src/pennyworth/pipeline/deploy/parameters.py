"""The values of a stack's parameters, and which of them are secrets."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.exceptions import ClientError

from pennyworth.host.errors import OperationFailed
from pennyworth.iam.policy.documents import MANAGED_POLICIES

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

_RELEASE_DIGITS = 12
_SHORTEST_SECRET = 8  # a shorter value is a setting: masking it would blank half the log


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
            raise OperationFailed(f"{name} is not set", "The template has no default for it.")
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
        raise OperationFailed(
            "It can't be seen whether the stack's roles need a boundary",
            f"Allow iam:GetPolicy on {arn}, as policies/deployment.json does. Then run this again.",
            str(failure),
        ) from failure
    return arn


def secret_values(setting: str, text: str) -> list[str]:
    """Each secret in one of SECRETS: GitHub knows, and masks, only the whole."""
    found = [match.strip().strip("'\"") for match in SECRETS[setting].findall(text)]
    return [secret for secret in found if len(secret) >= _SHORTEST_SECRET]


class _TemplateLoader(yaml.SafeLoader):
    """Reads a template's parameters; what CloudFormation's own tags stand for is of no interest here."""


_TemplateLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
