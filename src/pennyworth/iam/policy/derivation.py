"""What the roles that GitHub's runs take need, derived: from what CloudFormation's handlers call for each of a
template's resources (https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html, as
cfn-lint carries it), and from what is known of the other callers.
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
"""list, the fifth, serves no deployment."""

_REGION = "us-east-1"
"""Whose resource types count: it has all of them."""

_OWN_NAME = "${STACK_NAME}-*"

SCOPES = "src/pennyworth/iam/policy/scopes.toml"


@dataclass(frozen=True)
class Need:
    """An action that somebody calls on a deployment's behalf."""

    action: str
    """Such as lambda:CreateFunction."""
    scope: str
    """The statement that it belongs to."""
    resources: list[str]
    by: str
    """Who calls: a resource by its logical id and type, or a tool."""
    why: str
    """What for: the handlers that list it, or what the tool does."""
    condition: Condition = field(default_factory=dict)
    roles: tuple[str, ...] = (DEPLOY,)
    """Who needs it: whatever a read handler calls, the role that only looks needs, too."""


def derive_needs(template: Template, rules: Rules) -> list[Need]:
    """Everything that a template's deployment, update, rollback, deletion, preview and drift detection call.

    Raises:
        TemplateRefused: with everything that can't be derived.
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
    """The actions that a resource type's handlers list: the handlers by action.

    Args:
        kind: such as AWS::Lambda::Function.
    Raises:
        TemplateRefused: nobody knows such a type.
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
    """The actions by which a resource type is tagged."""
    tagging: Mapping[str, Any] = _load_schema(kind).get("tagging", {})
    return [*tagging.get("permissions", [])]


def list_properties(kind: str) -> frozenset[str]:
    """The properties that a resource type has."""
    return frozenset(_load_schema(kind)["properties"])


def is_about(action: str, entry: LeftOut) -> bool:
    """Whether an entry is about an action."""
    return any(fnmatchcase(action, pattern) for pattern in entry.actions)


def _derive_resource_needs(logical_id: str, template: Template, rules: Rules) -> Iterator[Need]:
    kind = template.get_type(logical_id)
    known = rules.types.get(kind)
    by = f"{logical_id} ({kind})"
    if not known:
        raise TemplateRefused(
            f"{by}: nobody has said where the actions of this type apply. Add the type to {SCOPES}."
        )
    for name, why in known.required.items():
        if name not in template.get_properties(logical_id):
            raise TemplateRefused(f"{by}: give it {name}: {why}.")
    used = set(template.get_properties(logical_id))
    for action, name, handlers in _list_actions(kind, used, known.scope, known.actions, known.tags, rules):
        scope = rules.scopes[name]
        resources = {
            _shorten(resource, scope)
            for text in scope.resources
            for resource in template.fill_scope(text, logical_id)
        }
        if not resources:
            raise TemplateRefused(
                f"{by}: {action} applies to {' and '.join(scope.resources)}, and the template does not tell which."
                " Give it a name that begins with ${AWS::StackName}."
            )
        service = action.partition(":")[0]
        if any(one.startswith("arn:") and one.split(":")[2] != service for one in resources):
            raise TemplateRefused(
                f"{by}: it also needs {action}, and nobody has said where that applies. Add it to the type's actions"
                f" in {SCOPES}."
            )
        yield Need(
            action=action,
            scope=name,
            resources=sorted(resources),
            by=by,
            why=", ".join(handlers),
            condition=_fill_condition(scope.condition, lambda text: template.fill_scope(text, logical_id)),
            roles=(DEPLOY, VIEW) if "read" in handlers else (DEPLOY,),
        )


def _derive_tool_needs(types: Iterable[str], rules: Rules) -> Iterator[Need]:
    for call in rules.calls:
        if call.type is None or call.type in types:
            for action in call.actions:
                yield _build_stack_need(action, call.scope, call.by, call.why, rules, tuple(call.roles))
    for made in rules.tool_resources:
        actions = _list_actions(made.type, set(made.properties), made.scope, made.actions, None, rules)
        for action, scope, handlers in actions:
            if set(handlers) & set(made.handlers):
                yield _build_stack_need(action, scope, made.by, made.why, rules)


def _build_stack_need(
    action: str, name: str, by: str, why: str, rules: Rules, roles: tuple[str, ...] = (DEPLOY,)
) -> Need:
    """A need that is no single resource's: of whatever the stack names itself."""

    def filled(text: str) -> set[str]:
        return set(fill_properties(text, lambda _: {_OWN_NAME}))

    scope = rules.scopes[name]
    resources = sorted({resource for text in scope.resources for resource in filled(text)})
    return Need(action, name, resources, by, why, _fill_condition(scope.condition, filled), roles)


def _list_actions(
    kind: str,
    used: set[str],
    scope: str,
    elsewhere: Mapping[str, str],
    tags: str | None,
    rules: Rules,
) -> Iterator[tuple[str, str, list[str]]]:
    """Each action that a type's handlers call for the properties in use, its scope, and the handlers."""
    left_out = [entry for entry in rules.left_out if entry.type == kind and not used & set(entry.unless)]
    for action, handlers in list_handler_permissions(kind).items():
        if any(is_about(action, entry) for entry in left_out):
            continue
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


def _fill_condition(condition: Condition, filled: Any) -> Condition:
    def values(value: Any) -> Any:
        if isinstance(value, list):
            return sorted({one for text in value for one in filled(text)})
        (only,) = filled(value)
        return only

    return {
        operator: {key: values(value) for key, value in keys.items()} for operator, keys in condition.items()
    }


def _load_schema(kind: str) -> dict[str, Any]:
    try:
        schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, kind).schema
    except ResourceNotFoundError as failure:
        raise TemplateRefused(
            f"CloudFormation has no resource type {kind}, as far as cfn-lint knows."
        ) from failure
    return schema
