"""Rewrite the PassRole statements of a policy document, and compare documents.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import as_list
from pennyworth.iam.passrole.roles import Role
from pennyworth.iam.policy import documents

Document = dict[str, Any]

ACTION = "iam:PassRole"
SERVICE_KEY = "iam:PassedToService"

SID: str = next(
    statement["Sid"]
    for statement in documents.read_document("deployment")["Statement"]
    if statement.get("Action") in (ACTION, [ACTION])
)
"""The Sid of the PassRole statement for the stack's roles. If roles have different services, there is a statement for
each set of services; the Sids of the others end with a number."""

_OWN = re.compile(rf"{SID}\d*")


def rewrite(document: Mapping[str, Any], roles: Iterable[Role]) -> Document:
    """Rewrite the PassRole statements to list exactly these roles, and leave all other statements unchanged.

    Args:
        document: a policy document.
        roles: at least one role.
    Returns:
        the new document.
    Raises:
        OperationFailed: the document has no PassRole statement or an unexpected one, or it would be too long.
    """
    statements = _list_statements(document)
    places = [place for place, statement in enumerate(statements) if _OWN.fullmatch(statement.get("Sid", ""))]
    first = next((statement for statement in statements if statement.get("Sid") == SID), None)
    if first is None:
        raise OperationFailed(
            f"The policy has no statement {SID}",
            "It does not match policies/deployment.json. Run `pennyworth bootstrap` to update it, or add the statement."
            " Then run this again.",
        )
    condition = {operator: dict(keys) for operator, keys in first.get("Condition", {}).items()}
    if first["Effect"] != "Allow" or _normalize(first.get("Action")) != ACTION or "Resource" not in first:
        raise OperationFailed(
            f"The statement {SID} does not only allow {ACTION}",
            f"It must allow {ACTION} on roles and nothing else, as in policies/deployment.json. Move the rest to"
            " another statement. Then run this again.",
        )
    by_services: dict[tuple[str, ...], list[str]] = {}
    for role in sorted(roles):
        by_services.setdefault(role.services, []).append(role.arn)
    own = [
        {
            **first,
            "Sid": f"{SID}{number}" if number > 1 else SID,
            "Resource": _unwrap(arns),
            "Condition": {
                **condition,
                "StringEquals": {**condition.get("StringEquals", {}), SERVICE_KEY: _unwrap(list(services))},
            },
        }
        for number, (services, arns) in enumerate(sorted(by_services.items()), 1)
    ]
    others = [statement for place, statement in enumerate(statements) if place not in places]
    result = {**document, "Statement": [*others[: places[0]], *own, *others[places[0] :]]}
    limit = documents.MANAGED_POLICY_CHARACTERS
    if documents.count_characters(result) > limit:
        raise OperationFailed(
            "The policy would be too long",
            f"With all roles listed, it exceeds IAM's limit of {limit} characters. Move your own statements to another"
            " policy of the deploy role. Then run this again.",
        )
    return result


def is_equivalent(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Check whether two documents mean the same. Order, and single values in or out of a list, do not matter."""
    return bool(_normalize(one) == _normalize(other))


def render_json(document: Mapping[str, Any]) -> str:
    """Render a document as compact JSON, for IAM's API."""
    return json.dumps(document, separators=(",", ":"))


def render_diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Render the difference of two documents as a unified diff; empty if they mean the same."""
    if is_equivalent(before, after):
        return ""
    old, new = (json.dumps(document, indent=2).splitlines() for document in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm=""))


def _list_statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return as_list(document["Statement"])


def _unwrap(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _normalize(value: Any) -> Any:
    """Sort all lists, and replace lists of one item by the item."""
    if isinstance(value, Mapping):
        return {name: _normalize(one) for name, one in value.items()}
    if isinstance(value, list):
        ordered = sorted((_normalize(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
        return ordered[0] if len(ordered) == 1 else ordered
    return value
