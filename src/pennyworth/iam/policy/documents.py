"""Read the policy documents in policies/ and fill their `${...}` placeholders."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pennyworth.host.places import ROOT

POLICIES = ROOT / "policies"

DEPLOYMENT = tuple(
    name for name in ("deployment", "resources", "data") if (POLICIES / f"{name}.json").exists()
)
"""The deploy role's policies: `deployment` for calls and roles, `resources` and `data` for the stack's resources.
`data` exists only if the stack has tables, buckets, parameters, alarms or a dashboard."""

NAMES = ("trust", *DEPLOYMENT, "first-deployment", "view", "deploy-boundary", "stack-boundary")
"""All documents. Each is the file NAME.json in policies/."""

MANAGED = tuple(name for name in NAMES if name != "trust")
"""The documents of managed policies. Names.name_policy says what those are called."""

BOUNDARY = "-boundary"
"""Documents whose names end with this are permissions boundaries."""

VIEW = "view"
"""The document of the read-only role's policy, which is that role's boundary, too."""

MANAGED_POLICY_CHARACTERS = 6144
"""IAM's limit for a managed policy, not counting white space.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

ADAPTER_ACCOUNT = "753240598075"
"""AWS's account with the Lambda Web Adapter's public layer."""

PLACEHOLDERS = {
    "ACCOUNT_ID": "the AWS account ID",
    "REGION": "the stack's region",
    "STACK_NAME": "the stack's name",
    "BASE_DOMAIN": "the parent domain of the endpoint, api.BASE_DOMAIN; `none` for no domain",
    "HOSTED_ZONE_ID": "the ID of that domain's hosted zone; `none` for no domain",
    "NAME_SUFFIX": "what the names of roles and policies end with; empty for an account's first endpoint",
    "PARTITION": "aws, aws-us-gov or aws-cn",
    "ADAPTER_ACCOUNT": "the account that publishes the Lambda Web Adapter's layer",
    "PASS_ROLE_ARNS": "the roles that may be passed to services, as a list",
    "SUBJECTS": "the `sub` claims of the runs that may assume a role, as a list",
    "REPOSITORY_ID": "the numeric ID of their repository; optional",
    "REPOSITORY_OWNER_ID": "the numeric ID of its owner; optional",
    "WORKFLOWS": "the `job_workflow_ref` claims of the workflow files that may assume a role, as a list; optional",
}

OPTIONAL = frozenset({"REPOSITORY_ID", "REPOSITORY_OWNER_ID", "WORKFLOWS"})
"""Placeholders of conditions that are left out if there is no value."""

DEFAULTS: Mapping[str, str | Sequence[str]] = {
    "PARTITION": "aws",
    "ADAPTER_ACCOUNT": ADAPTER_ACCOUNT,
    "NAME_SUFFIX": "",
    # a prefix, until the stack's roles exist and tighten-passrole lists their ARNs
    "PASS_ROLE_ARNS": ["arn:${PARTITION}:iam::${ACCOUNT_ID}:role/${STACK_NAME}-*"],
}

_PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def read_document(name: str) -> dict[str, Any]:
    """Read a checked-in document, with its placeholders.

    Args:
        name: one of NAMES, with or without .json.
    Returns:
        the document.
    """
    document: dict[str, Any] = json.loads((POLICIES / f"{name.removesuffix('.json')}.json").read_text())
    return document


def read_policy(name: str) -> dict[str, Any]:
    """Read a document as IAM gets it: boundaries without their statements' names, which would take room.

    Args:
        name: one of NAMES, with or without .json.
    Returns:
        the document, with its placeholders.
    """
    document = read_document(name)
    if name.removesuffix(".json").endswith((BOUNDARY, VIEW)):
        for statement in document["Statement"]:
            del statement["Sid"]
    return document


def render_document(name: str, values: Mapping[str, str | Sequence[str]]) -> dict[str, Any]:
    """Read a document as IAM gets it, and fill its placeholders.

    Args:
        name: one of NAMES, with or without .json.
        values: values of the placeholders by name. DEFAULTS applies to the others. A list can only replace a
            placeholder that is a whole string; its items then take the place of that string.
    Returns:
        the filled document.
    Raises:
        KeyError: a placeholder has no value.
        ValueError: a list is given for a placeholder inside a string.
    """
    document: dict[str, Any] = fill_placeholders(read_policy(name), values)
    return document


def fill_placeholders(part: Any, values: Mapping[str, str | Sequence[str]]) -> Any:
    """Fill the placeholders of any part of a document.

    Args:
        part: a document or a part of one.
        values: values of the placeholders by name, as for `render_document`.
    Returns:
        the filled part.
    Raises:
        KeyError: a placeholder has no value.
        ValueError: a list is given for a placeholder inside a string.
    """
    if isinstance(part, dict):
        return {
            key: fill_placeholders(value, values)
            for key, value in part.items()
            if not _is_left_out(value, values)
        }
    if isinstance(part, list):
        entries: list[Any] = []
        for item in part:
            entry = fill_placeholders(item, values)
            entries += entry if isinstance(entry, list) else [entry]
        return entries
    if not isinstance(part, str):
        return part
    if whole := _PLACEHOLDER.fullmatch(part):
        value = _find_value(whole[1], values)
        if not isinstance(value, str):
            return fill_placeholders(list(value), values)

    def replace(found: re.Match[str]) -> str:
        value = _find_value(found[1], values)
        if not isinstance(value, str):
            raise ValueError(f"{found[1]} is a list and can't stand inside {part}")
        return value

    return _PLACEHOLDER.sub(replace, part)


def count_characters(document: Mapping[str, Any]) -> int:
    """Count a document's characters as IAM does, without white space."""
    return len(re.sub(r"\s", "", json.dumps(document)))


def _is_left_out(value: Any, values: Mapping[str, str | Sequence[str]]) -> bool:
    whole = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return whole is not None and whole[1] in OPTIONAL and not values.get(whole[1])


def _find_value(name: str, values: Mapping[str, str | Sequence[str]]) -> str | Sequence[str]:
    return values[name] if name in values else DEFAULTS[name]
