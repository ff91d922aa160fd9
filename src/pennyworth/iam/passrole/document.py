"""A policy document's PassRole statement: found by its Sid, rewritten for some roles, compared, shown as a diff.

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
"""The stack's own PassRole statement. Where roles go to different services there is one for each set of services, and
the further ones have a number behind it."""

_OWN = re.compile(rf"{SID}\d*")


def rewrite(document: Mapping[str, Any], roles: Iterable[Role]) -> Document:
    """A document in which the stack's own PassRole statement names these roles; all else is as it was.

    Args:
        document: a policy's.
        roles: at least one.
    Raises:
        OperationFailed: it has no such statement, it was made into something else, or it would be too long.
    """
    statements = _list_statements(document)
    places = [place for place, statement in enumerate(statements) if _OWN.fullmatch(statement.get("Sid", ""))]
    first = next((statement for statement in statements if statement.get("Sid") == SID), None)
    if first is None:
        raise OperationFailed(
            f"The policy has no statement {SID}",
            "It is not the one that policies/deployment.json describes: lay that one over it with `pennyworth"
            " bootstrap`, or add the statement. Then run this again.",
        )
    condition = {operator: dict(keys) for operator, keys in first.get("Condition", {}).items()}
    if first["Effect"] != "Allow" or _normalize(first.get("Action")) != ACTION or "Resource" not in first:
        raise OperationFailed(
            f"The statement {SID} is not about {ACTION} alone",
            f"It must allow {ACTION} on some roles and nothing else, as in policies/deployment.json. Move what else it"
            " says into a statement of its own. Then run this again.",
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
            f"With every role named it has more than IAM's {limit} characters. Move statements of your own into another"
            " policy of the deploy role. Then run this again.",
        )
    return result


def is_equivalent(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two documents say the same, whatever the order, and a single value in a list or not."""
    return bool(_normalize(one) == _normalize(other))


def render_json(document: Mapping[str, Any]) -> str:
    """A document as IAM takes it."""
    return json.dumps(document, separators=(",", ":"))


def render_diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What changed from one document to another, as a unified diff; empty where they say the same."""
    if is_equivalent(before, after):
        return ""
    old, new = (json.dumps(document, indent=2).splitlines() for document in (before, after))
    return "\n".join(difflib.unified_diff(old, new, "before", "after", lineterm=""))


def _list_statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return as_list(document["Statement"])


def _unwrap(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _normalize(value: Any) -> Any:
    """A value in the one form that says the same: sorted, and a list of one is that one."""
    if isinstance(value, Mapping):
        return {name: _normalize(one) for name, one in value.items()}
    if isinstance(value, list):
        ordered = sorted((_normalize(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
        return ordered[0] if len(ordered) == 1 else ordered
    return value
