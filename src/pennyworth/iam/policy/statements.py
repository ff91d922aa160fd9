"""Build policy documents from needs, and list or test what a document allows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from pennyworth.host.lists import as_list
from pennyworth.iam.policy.derivation import Need
from pennyworth.iam.policy.rules import DEPLOY, VIEW, Rules

Document = dict[str, Any]


def derive_documents(needs: Iterable[Need], rules: Rules) -> dict[str, Document]:
    """Derive the policy documents from needs.

    The documents that the scopes name allow together exactly what a deployment needs. `first-deployment` allows all
    actions of some services, on the stack's resources only. `view` is the policy of the read-only role.

    Args:
        needs: what the roles need.
        rules: the rules with the scopes of the needs.
    Returns:
        the documents by name, without empty ones.
    """
    by_document: dict[str, list[Need]] = {}
    broad: list[Need] = []
    view: list[Need] = []
    for need in needs:
        scope = rules.scopes[need.scope]
        if VIEW in need.roles:
            view.append(_adapt_to_view(need, rules))
        if DEPLOY in need.roles:
            by_document.setdefault(scope.document, []).append(need)
            broad += [replace(need, action=action) for action in scope.first_deployment]
    by_document |= {"first-deployment": broad, "view": view}
    return {name: _build_document(found, rules) for name, found in by_document.items()}


def _adapt_to_view(need: Need, rules: Rules) -> Need:
    """Return a need with the scope and the action pattern that the read-only role's document uses for it."""
    scopes = rules.scopes
    other = next(
        (to for one, to in scopes[need.scope].view_scopes.items() if fnmatchcase(need.action, one)), None
    )
    if other:
        need = replace(need, scope=other, condition=scopes[other].condition)
    pattern = next(
        (one for one in scopes[need.scope].view_actions if fnmatchcase(need.action, one)), need.action
    )
    return replace(need, action=pattern)


def _build_document(needs: Iterable[Need], rules: Rules) -> Document:
    by_scope: dict[str, list[Need]] = {}
    for need in needs:
        by_scope.setdefault(need.scope, []).append(need)
    return {
        "Version": "2012-10-17",
        "Statement": [_build_statement(name, by_scope[name]) for name in rules.scopes if name in by_scope],
    }


def _build_statement(name: str, needs: list[Need]) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Sid": name,
        "Effect": "Allow",
        "Action": _unwrap({need.action for need in needs}),
        "Resource": _unwrap({resource for need in needs for resource in need.resources}),
    }
    if needs[0].condition:
        statement["Condition"] = {
            operator: {key: _merge(need.condition[operator][key] for need in needs) for key in keys}
            for operator, keys in needs[0].condition.items()
        }
    return statement


def _merge(values: Iterable[Any]) -> Any:
    merged: set[str] = set()
    for value in values:
        merged |= set(as_list(value))
    return _unwrap(merged)


def _unwrap(values: set[str]) -> str | list[str]:
    ordered = sorted(values)
    return ordered[0] if len(ordered) == 1 else ordered


@dataclass(frozen=True, order=True)
class Grant:
    """A permission: an action on a resource, in a statement with a condition."""

    statement: str
    action: str
    resource: str
    condition: str


def list_grants(document: Mapping[str, Any]) -> set[Grant]:
    """List the permissions that a document grants.

    Args:
        document: a policy document whose statements have a Sid.
    Returns:
        one entry for each combination of statement, action and resource.
    """
    return {
        Grant(statement["Sid"], action, resource, _normalize(statement.get("Condition", {})))
        for statement in document["Statement"]
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def allows(document: Mapping[str, Any], action: str, resource: str) -> bool:
    """Check whether a statement of a document allows an action on a resource.

    This finds missing permissions. It does not prove a document safe, because it ignores conditions and Deny
    statements.

    Args:
        document: a policy document.
        action: an action.
        resource: an ARN, which may contain wildcards.
    Returns:
        whether a statement allows the action.
    """
    return any(
        statement["Effect"] == "Allow"
        and any(fnmatchcase(action.lower(), pattern.lower()) for pattern in as_list(statement["Action"]))
        and any(_matches(resource, pattern) for pattern in as_list(statement["Resource"]))
        for statement in document["Statement"]
    )


def _matches(resource: str, pattern: str) -> bool:
    return fnmatchcase(resource, pattern.replace("[", "[[]"))


def _normalize(condition: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{operator} {key} {' '.join(sorted(as_list(value)))}"
        for operator, keys in sorted(condition.items())
        for key, value in sorted(keys.items())
    )
