"""The policy documents in policies/ and how real names come into their `${...}` placeholders."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pennyworth.host.places import ROOT

POLICIES = ROOT / "policies"

DEPLOYMENT = tuple(
    name for name in ("deployment", "resources", "data") if (POLICIES / f"{name}.json").exists()
)
"""Together they are what the deploy role may do: calls and roles, which the first is about, and what the stack holds.
`data` is there once the stack holds tables, buckets, parameters, alarms or a dashboard."""

NAMES = ("trust", *DEPLOYMENT, "first-deployment", "view", "deploy-boundary", "stack-boundary")
"""Each is a file there, with .json behind it."""

DEPLOY_ROLE = "pennyworth-github-deploy-role"

VIEW_ROLE = "pennyworth-github-view-role"
"""What only looks: pull requests' previews and health checks."""

MANAGED_POLICIES = {name: f"pennyworth-{name}" for name in NAMES if name != "trust"}
"""What the managed policy is called that a document becomes."""

MANAGED_POLICY_CHARACTERS = 6144
"""The most that a managed policy may have without white space.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

PLACEHOLDERS = {
    "ACCOUNT_ID": "the account's number",
    "REGION": "the stack's region",
    "STACK_NAME": "the stack's name",
    "BASE_DOMAIN": "the domain below which the endpoint is api.BASE_DOMAIN; `none` for no domain",
    "HOSTED_ZONE_ID": "that domain's hosted zone; `none` for no domain",
    "PARTITION": "aws, aws-us-gov or aws-cn",
    "PASS_ROLE_ARNS": "the roles that may be handed to services, as a list",
    "SUBJECTS": "the `sub` claims of the runs that may take a role, as a list",
}

DEFAULTS: Mapping[str, str | Sequence[str]] = {
    "PARTITION": "aws",
    # until the stack's roles exist and are named one by one
    "PASS_ROLE_ARNS": ["arn:${PARTITION}:iam::${ACCOUNT_ID}:role/${STACK_NAME}-*"],
}

_PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def read_document(name: str) -> dict[str, Any]:
    """A document as it is checked in, with its placeholders.

    Args:
        name: one of NAMES.
    """
    document: dict[str, Any] = json.loads((POLICIES / f"{name.removesuffix('.json')}.json").read_text())
    return document


def render_document(name: str, values: Mapping[str, str | Sequence[str]]) -> dict[str, Any]:
    """A document with real names in it.

    Args:
        name: one of NAMES, with or without .json.
        values: a value for each of PLACEHOLDERS that the document holds; DEFAULTS where one is not given. A list
            can only fill a placeholder that is a whole string; it becomes that string's place.
    Raises:
        KeyError: a placeholder has no value.
        ValueError: a list stands for a part of a string.
    """
    document: dict[str, Any] = fill_placeholders(read_document(name), values)
    return document


def fill_placeholders(part: Any, values: Mapping[str, str | Sequence[str]]) -> Any:
    """Any part of a document with real names in it. As `filled`."""
    if isinstance(part, dict):
        return {key: fill_placeholders(value, values) for key, value in part.items()}
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

    def replacement(found: re.Match[str]) -> str:
        value = _find_value(found[1], values)
        if not isinstance(value, str):
            raise ValueError(f"{found[1]} is a list and can't stand inside {part}")
        return value

    return _PLACEHOLDER.sub(replacement, part)


def count_characters(document: Mapping[str, Any]) -> int:
    """How many characters AWS counts: all but white space."""
    return len(re.sub(r"\s", "", json.dumps(document)))


def _find_value(name: str, values: Mapping[str, str | Sequence[str]]) -> str | Sequence[str]:
    return values[name] if name in values else DEFAULTS[name]
