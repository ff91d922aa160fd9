"""Derive the permissions that the deploy role and the read-only role need for a template.

There are two sources: the permissions that CloudFormation's resource type schemas list for each handler, as cfn-lint
ships them, and the calls of other tools in calls.toml.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

from pennyworth.aws.source_template import TemplateRefused
from pennyworth.iam.policy.rules import DEPLOY, VIEW, Condition, LeftOut, Rules, Scope
from pennyworth.iam.policy.template import Template, fill_properties

_HANDLERS = ("create", "read", "update", "delete")
"""A deployment does not use the fifth handler, list."""

_REGION = "us-east-1"
"""The region whose resource types are used. It has all of them."""

_OWN_NAME = "${STACK_NAME}-*"

SCOPES = "src/pennyworth/iam/policy/scopes.toml"


@dataclass(frozen=True)
class Need:
    """An action that is called for a deployment, preview or health check."""

    action: str
    """Such as lambda:CreateFunction."""
    scope: str
    """The statement it belongs to."""
    resources: list[str]
    by: str
    """The caller: a resource by logical ID and type, or a tool."""
    why: str
    """The reason: the handlers that list it, or what the tool does with it."""
    condition: Condition = field(default_factory=dict)
    roles: tuple[str, ...] = (DEPLOY,)
    """The roles that need it. The read-only role also needs every action that a read handler calls."""


def derive_needs(template: Template, rules: Rules) -> list[Need]:
    """Derive what deploying, updating, rolling back, deleting, previewing and checking a stack need.

    Args:
        template: the stack's template.
        rules: the rules of the derivation.
    Returns:
        the needs, in a fixed order.
    Raises:
        TemplateRefused: the needs of some resources can't be derived; the message lists them all.
    """
    found: list[Need] = []
    refused: list[str] = []
    for logical_id in sorted(template.resources):
        try:
            found += _derive_resource_needs(logical_id, template, rules)
        except TemplateRefused as failure:
            refused.append(str(failure))
    if refused:
        raise TemplateRefused("\n".join(dict.fromkeys(refused)))
    types = {template.get_type(logical_id) for logical_id in template.resources}
    return [*found, *_derive_tool_needs(types, rules)]


def list_handler_permissions(kind: str) -> dict[str, list[str]]:
    """List the actions in a resource type's schema.

    Args:
        kind: a resource type, such as AWS::Lambda::Function.
    Returns:
        for each action, the handlers that call it; `tags` stands for tagging.
    Raises:
        TemplateRefused: there is no such type.
    """
    schema = _load_schema(kind)
    by_action: dict[str, list[str]] = {}
    for handler in _HANDLERS:
        for action in schema.get("handlers", {}).get(handler, {}).get("permissions", []):
            by_action.setdefault(action, []).append(handler)
    for action in list_tag_permissions(kind):
        by_action.setdefault(action, []).append("tags")
    return by_action


def list_tag_permissions(kind: str) -> list[str]:
    """List the actions that tag a resource of a type."""
    tagging: Mapping[str, Any] = _load_schema(kind).get("tagging", {})
    return [*tagging.get("permissions", [])]


def list_properties(kind: str) -> frozenset[str]:
    """List the properties of a resource type."""
    return frozenset(_load_schema(kind)["properties"])


def is_about(action: str, entry: LeftOut) -> bool:
    """Check whether an entry of left_out.toml covers an action."""
    return any(fnmatchcase(action, pattern) for pattern in entry.actions)


def _derive_resource_needs(logical_id: str, template: Template, rules: Rules) -> Iterator[Need]:
    kind = template.get_type(logical_id)
    known = rules.types.get(kind)
    by = f"{logical_id} ({kind})"
    if not known:
        raise TemplateRefused(
            f"{by}: {SCOPES} has no entry for this type. Add one that names the scope of its actions."
        )
    for name, why in known.required.items():
        if name not in template.get_properties(logical_id):
            raise TemplateRefused(f"{by}: give it {name}: {why}.")
    used = set(template.get_properties(logical_id))
    left_out = [entry for entry in rules.left_out if entry.type == kind and not used & set(entry.unless)]
    for action, name, handlers in _list_actions(kind, known.scope, known.actions, known.tags):
        without = {role for entry in left_out if is_about(action, entry) for role in entry.roles}
        roles = [
            role for role in ((DEPLOY, VIEW) if "read" in handlers else (DEPLOY,)) if role not in without
        ]
        if not roles:
            continue
        scope = rules.scopes[name]
        resources = {
            _shorten(resource, scope)
            for text in scope.resources
            for resource in template.fill_scope(text, logical_id)
        }
        if not resources:
            raise TemplateRefused(
                f"{by}: {action} needs a value for {' and '.join(scope.resources)}, and the template has none."
                " Give the resource a name that begins with ${AWS::StackName}."
            )
        service = action.partition(":")[0]
        forgotten = name == known.scope  # a statement that is named for the action may know better
        if forgotten and any(one.startswith("arn:") and one.split(":")[2] != service for one in resources):
            raise TemplateRefused(
                f"{by}: it also needs {action}, an action of another service. Add it, with its scope, to the type's"
                f" actions in {SCOPES}."
            )
        yield Need(
            action=action,
            scope=name,
            resources=sorted(resources),
            by=by,
            why=", ".join(handlers),
            condition=_fill_condition(scope.condition, lambda text: template.fill_scope(text, logical_id)),
            roles=tuple(roles),
        )


def _derive_tool_needs(types: Iterable[str], rules: Rules) -> Iterator[Need]:
    for call in rules.calls:
        if call.type is None or call.type in types:
            for action in call.actions:
                yield _build_stack_need(action, call.scope, call.by, call.why, rules, tuple(call.roles))


def _build_stack_need(
    action: str, name: str, by: str, why: str, rules: Rules, roles: tuple[str, ...] = (DEPLOY,)
) -> Need:
    """Build a need that applies to everything whose name has the stack's prefix."""

    def fill(text: str) -> set[str]:
        return set(fill_properties(text, lambda _: {_OWN_NAME}))

    scope = rules.scopes[name]
    resources = sorted({resource for text in scope.resources for resource in fill(text)})
    return Need(action, name, resources, by, why, _fill_condition(scope.condition, fill), roles)


def _list_actions(
    kind: str, scope: str, elsewhere: Mapping[str, str], tags: str | None
) -> Iterator[tuple[str, str, list[str]]]:
    """List the actions that a type's handlers call, each with its scope and handlers."""
    for action, handlers in list_handler_permissions(kind).items():
        named = [name for pattern, name in elsewhere.items() if fnmatchcase(action, pattern)]
        own = (named or [scope])[0]
        if tags and tags != own and "tags" in handlers:
            yield action, tags, ["tags"]
        if not tags or handlers != ["tags"]:
            yield action, own, handlers


def _shorten(resource: str, scope: Scope) -> str:
    for pattern, replacement in scope.shorten.items():
        resource = re.sub(pattern, replacement, resource)
    return resource


def _fill_condition(condition: Condition, fill: Any) -> Condition:
    def fill_value(value: Any) -> Any:
        if isinstance(value, list):
            return sorted({one for text in value for one in fill(text)})
        (only,) = fill(value)
        return only

    return {
        operator: {key: fill_value(value) for key, value in keys.items()}
        for operator, keys in condition.items()
    }


def _load_schema(kind: str) -> dict[str, Any]:
    try:
        schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, kind).schema
    except ResourceNotFoundError as failure:
        raise TemplateRefused(f"cfn-lint knows no CloudFormation resource type {kind}.") from failure
    return schema
