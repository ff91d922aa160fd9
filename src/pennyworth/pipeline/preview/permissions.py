"""Compare the permissions that the policies of two templates grant."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pennyworth.aws.template_values import EvaluatedTemplate
from pennyworth.github.masking import NAMES, PUBLIC
from pennyworth.host.lists import as_list

Properties = Mapping[str, Any]

_ROLE = "AWS::IAM::Role"
_CALL = "call"
_ALL = "*"

_POWERFUL = frozenset({"iam", "sts", "organizations", "kms", "secretsmanager", "cloudformation"})
"""Services for which `SERVICE:*` allows privilege escalation."""
_TAKES = "sts:AssumeRole"
_SERVICES = (".amazonaws.com", ".amazonaws.com.cn")
_ESCALATING = frozenset(
    {
        "iam:passrole",
        "iam:createaccesskey",
        "iam:createpolicyversion",
        "iam:setdefaultpolicyversion",
        "iam:attachrolepolicy",
        "iam:putrolepolicy",
        "iam:updateassumerolepolicy",
        "iam:deleterolepermissionsboundary",
        "iam:putrolepermissionsboundary",
        "lambda:updatefunctioncode",
        "lambda:addpermission",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """An action on a resource that a statement allows or denies to someone."""

    who: str
    """A role's logical ID, or a principal such as a service."""
    denies: bool
    action: str
    resource: str
    condition: str
    """JSON; empty if there is no condition."""


@dataclass(frozen=True, slots=True)
class Change:
    """Permissions that someone gains or loses."""

    who: str = field(metadata=NAMES)
    runs: tuple[str, ...] = field(metadata=PUBLIC)
    """The logical IDs of the functions with this role."""
    gained: bool
    """Whether the statement is new. If False, it was removed."""
    denies: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: str
    alarming: bool
    """Whether a reviewer should take a close look."""


def compare_permissions(before: EvaluatedTemplate | None, after: EvaluatedTemplate) -> list[Change]:
    """Compare the permissions that two templates grant.

    Statements are compared by single actions and resources, so a statement that is only written differently is not a
    change.

    Args:
        before: the deployed template; None if nothing is deployed.
        after: the new template.
    Returns:
        the changes, those that need a close look first.
    """
    had = set(list_grants(before)) if before else set()
    has = set(list_grants(after))
    runs: defaultdict[str, set[str]] = defaultdict(set)
    for evaluated in filter(None, (before, after)):
        for function, properties in evaluated.find_properties("AWS::Lambda::Function").items():
            runs[_strip_reference(properties.get("Role"))].add(function)
    found = [*_group(has - had, gained=True), *_group(had - has, gained=False)]
    found = [replace(change, runs=tuple(sorted(runs[change.who]))) for change in found]
    return sorted(
        found, key=lambda change: (not change.alarming, change.who, not change.gained, change.actions)
    )


def list_grants(evaluated: EvaluatedTemplate) -> Iterator[Grant]:
    """List the permissions that a template's policies grant or deny.

    Args:
        evaluated: the template.
    Returns:
        one entry for each combination of principal, action and resource.
    """
    for name, resource in evaluated.resources.items():
        if source := _SOURCES.get(resource["Type"]):
            yield from source(name, resource["Properties"])


def _list_role_grants(name: str, properties: Properties) -> Iterator[Grant]:
    for statement in _list_statements(properties.get("AssumeRolePolicyDocument")):
        yield from _list_principal_grants(statement, f"${{{name}}}")
    for policy in properties.get("Policies") or ():
        for statement in _list_statements(policy.get("PolicyDocument")):
            yield from _list_statement_grants(statement, name)
    for arn in properties.get("ManagedPolicyArns") or ():
        yield Grant(name, False, f"whatever the policy {_strip_reference(arn)} allows", "", "")
    if boundary := properties.get("PermissionsBoundary"):
        yield Grant(name, True, f"whatever the boundary {_strip_reference(boundary)} does not allow", "", "")


def _list_policy_grants(name: str, properties: Properties) -> Iterator[Grant]:
    holders = [
        _strip_reference(holder)
        for kind in ("Roles", "Users", "Groups", "RoleName", "UserName", "GroupName")
        for holder in as_list(properties.get(kind))
    ]
    for statement in _list_statements(properties.get("PolicyDocument")):
        for holder in holders or [f"whoever has the policy {name}"]:
            yield from _list_statement_grants(statement, holder)


def _list_invoke_grants(_name: str, properties: Properties) -> Iterator[Grant]:
    given = {
        key: properties[key] for key in ("SourceArn", "SourceAccount", "PrincipalOrgID") if key in properties
    }
    yield Grant(
        str(properties.get("Principal", _ALL)),
        False,
        str(properties.get("Action")),
        str(properties.get("FunctionName")),
        _render_json(given),
    )


def _list_resource_policy_grants(name: str, properties: Properties) -> Iterator[Grant]:
    document = (
        properties.get("PolicyDocument") or properties.get("KeyPolicy") or properties.get("ResourcePolicy")
    )
    for statement in _list_statements(document):
        yield from _list_principal_grants(statement, f"${{{name}}}")


_SOURCES: dict[str, Callable[[str, Properties], Iterator[Grant]]] = {
    _ROLE: _list_role_grants,
    "AWS::IAM::Policy": _list_policy_grants,
    "AWS::IAM::ManagedPolicy": _list_policy_grants,
    "AWS::IAM::RolePolicy": _list_policy_grants,
    "AWS::IAM::UserPolicy": _list_policy_grants,
    "AWS::IAM::GroupPolicy": _list_policy_grants,
    "AWS::Lambda::Permission": _list_invoke_grants,
    "AWS::KMS::Key": _list_resource_policy_grants,
    "AWS::S3::BucketPolicy": _list_resource_policy_grants,
    "AWS::SNS::TopicPolicy": _list_resource_policy_grants,
    "AWS::SQS::QueuePolicy": _list_resource_policy_grants,
    "AWS::SecretsManager::ResourcePolicy": _list_resource_policy_grants,
}


def _list_statement_grants(statement: Properties, who: str) -> Iterator[Grant]:
    """List the grants of a statement in a role's or user's policy."""
    resources = as_list(statement.get("Resource")) or [
        f"everything but {', '.join(map(str, as_list(statement.get('NotResource'))))}"
    ]
    yield from _list_grants_for(statement, who, map(str, resources))


def _list_principal_grants(statement: Properties, resource: str) -> Iterator[Grant]:
    """List the grants of a statement in a resource policy, to the principals it names."""
    resources = [str(found) for found in as_list(statement.get("Resource")) if found != _ALL] or [resource]
    given = statement.get("Principal", {})
    named = given if isinstance(given, Mapping) else {"": given}
    for principal in (str(found) for listed in named.values() for found in as_list(listed)):
        yield from _list_grants_for(statement, principal, resources)
    if "NotPrincipal" in statement:
        yield from _list_grants_for(
            statement, f"everybody but {_render_json(statement['NotPrincipal'])}", resources
        )


def _list_grants_for(statement: Properties, who: str, resources: Iterable[str]) -> Iterator[Grant]:
    denies = statement.get("Effect") == "Deny"
    actions = [str(action) for action in as_list(statement.get("Action"))]
    if "NotAction" in statement:
        actions = [f"everything but {', '.join(map(str, as_list(statement['NotAction'])))}"]
    condition = _render_json(statement.get("Condition"))
    for resource in resources:
        for action in actions:
            yield Grant(_strip_reference(who), denies, action, resource, condition)


def _group(found: Iterable[Grant], *, gained: bool) -> Iterator[Change]:
    """Group grants that differ only in the action, and then those that differ only in the resource."""
    actions: defaultdict[tuple[str, bool, str, str], set[str]] = defaultdict(set)
    for grant in found:
        actions[grant.who, grant.denies, grant.condition, grant.resource].add(grant.action)
    resources: defaultdict[tuple[str, bool, str, tuple[str, ...]], set[str]] = defaultdict(set)
    for (who, denies, condition, resource), called in actions.items():
        resources[who, denies, condition, tuple(sorted(called))].add(resource)
    for (who, denies, condition, names), places in resources.items():
        more = gained != denies  # a new Allow, or a removed Deny
        alarming = more and (
            denies
            or who == _ALL
            or (_TAKES in names and not who.endswith(_SERVICES))
            or any(map(_is_alarming, names))
            or _is_on_everything(names, places)
        )
        yield Change(who, (), gained, denies, names, tuple(sorted(places)), condition, alarming)


def _is_alarming(action: str) -> bool:
    service, _, name = action.lower().partition(":")
    if action == _ALL or action.startswith(("everything", "whatever the policy")):
        return True
    return action.lower() in _ESCALATING or (name == _ALL and service in _POWERFUL)


def _is_on_everything(actions: Iterable[str], resources: Iterable[str]) -> bool:
    """Check whether all actions of a service are allowed on every resource."""
    return _ALL in resources and any(action.endswith(":*") for action in actions)


def _list_statements(document: Any) -> list[Properties]:
    return as_list(document.get("Statement")) if isinstance(document, Mapping) else []


def _strip_reference(value: Any) -> str:
    """Replace a reference to a resource of the template with its logical ID."""
    text = str(value)
    if text.startswith("${") and text.endswith("}"):
        return text[2:-1].removesuffix(".Arn")
    return text


def _render_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str) if value else ""
