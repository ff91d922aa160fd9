"""What the checked-in documents lack for a template or hold needlessly, who asks for it, and what the boundaries
would have to admit."""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pennyworth.host.lists import as_list
from pennyworth.iam.policy import documents
from pennyworth.iam.policy.derivation import Need, list_handler_permissions, list_properties
from pennyworth.iam.policy.rules import DEPLOY, Rules
from pennyworth.iam.policy.statements import Document, Grant, allows, list_grants
from pennyworth.iam.policy.template import Template

_LONGEST = {
    # names that are as long as they get, to see that a document still fits
    "ACCOUNT_ID": "123456789012",
    "REGION": "ap-southeast-2",
    "STACK_NAME": "a-name-of-24-characters-",
    "BASE_DOMAIN": "a-rather-long.subdomain.example.co.uk",
    "HOSTED_ZONE_ID": "Z0123456789ABCDEFGHIJ",
    "PARTITION": "aws-us-gov",
    "SUBJECTS": ["repo:owner@123456789/repository@1234567890:ref:refs/heads/main"],
}


@dataclass(frozen=True)
class Difference:
    """What a document lacks or holds needlessly in one of its statements."""

    document: str
    statement: str
    lacks: bool
    """False: it holds it needlessly."""
    actions: list[str]
    resources: list[str]
    condition: str
    by: list[str]
    """Who asks for it."""

    def __str__(self) -> str:
        what = "lacks" if self.lacks else "holds needlessly"
        condition = f" if {self.condition}" if self.condition else ""
        by = f", for {'; '.join(self.by)}" if self.by else ""
        return (
            f"policies/{self.document}.json {what} in {self.statement}: {', '.join(self.actions)}"
            f" on {', '.join(self.resources)}{condition}{by}"
        )


def find_differences(
    wanted: Mapping[str, Document], needs: Iterable[Need], rules: Rules
) -> Iterator[Difference]:
    """Between what is wanted and what is checked in.

    Args:
        wanted: the documents as they must be, by name.
        needs: what they were made of.
        rules: the scopes of the needs.
    """
    needs = list(needs)
    for name in dict.fromkeys((*documents.DEPLOYMENT, "first-deployment", *wanted)):
        held = list_grants(documents.read_document(name)) if name in documents.NAMES else set()
        meant = list_grants(wanted[name]) if name in wanted else set()
        yield from _group_differences(name, meant - held, True, needs, rules)
        yield from _group_differences(name, held - meant, False, needs, rules)


def find_oversized_documents(wanted: Mapping[str, Document]) -> Iterator[str]:
    """Those documents that IAM would not take with long names in them."""
    for name, document in wanted.items():
        characters = documents.count_characters(documents.fill_placeholders(document, _LONGEST))
        if characters > documents.MANAGED_POLICY_CHARACTERS:
            yield (
                f"policies/{name}.json would have {characters} characters with long names in it, and IAM takes"
                f" {documents.MANAGED_POLICY_CHARACTERS}: move a statement into another document, in scopes.toml"
            )


def find_stale_rules(rules: Rules) -> Iterator[str]:
    """What the rules say of actions and properties that a resource type no longer has, and statements for nobody."""
    for entry in rules.left_out:
        listed_by = list_handler_permissions(entry.type)
        for pattern in entry.actions:
            if not fnmatch.filter(listed_by, pattern):
                yield f"left_out.toml: no handler of {entry.type} asks for {pattern}"
        for name in set(entry.unless) - list_properties(entry.type):
            yield f"left_out.toml: {entry.type} has no property {name}"
    for kind, known in rules.types.items():
        for pattern in known.actions:
            if not fnmatch.filter(list_handler_permissions(kind), pattern):
                yield f"scopes.toml: no handler of {kind} asks for {pattern}"
        named = {*known.aliases.values(), *known.required, *([known.name] if known.name else [])}
        for name in named - list_properties(kind):
            yield f"scopes.toml: {kind} has no property {name}"
    used = {
        *(call.scope for call in rules.calls),
        *(scope for made in rules.tool_resources for scope in (made.scope, *made.actions.values())),
        *(scope for known in rules.types.values() for scope in (known.scope, *known.actions.values())),
        *(known.tags for known in rules.types.values()),
        *(scope for known in rules.scopes.values() for scope in known.view_scopes.values()),
    }
    for scope in rules.scopes.keys() - used:
        yield f"scopes.toml: nothing belongs into {scope}"


def find_needs_outside_boundary(needs: Iterable[Need]) -> Iterator[str]:
    """What the deploy role would need and its boundary does not admit."""
    boundary = documents.read_document("deploy-boundary")
    keep = {name: f"${{{name}}}" for name in documents.PLACEHOLDERS if name not in documents.DEFAULTS}
    for need in (one for one in needs if DEPLOY in one.roles):
        for resource in documents.fill_placeholders(need.resources, {**keep, "PARTITION": "${PARTITION}"}):
            if not allows(boundary, need.action, resource):
                yield f"policies/deploy-boundary.json does not admit {need.action} on {resource}, for {need.by}"


def find_roles_outside_boundary(template: Template) -> Iterator[str]:
    """What the stack's roles are given and their boundary does not admit."""
    boundary = documents.read_document("stack-boundary")
    for logical_id in sorted(template.resources):
        if template.get_type(logical_id) != "AWS::IAM::Role":
            continue
        for action, resource in _list_role_permissions(
            template.get_properties(logical_id).get("Policies", []), template
        ):
            if not allows(boundary, action, resource):
                yield (
                    f"policies/stack-boundary.json does not admit {action} on {resource}, which {logical_id} is given"
                )


def _list_role_permissions(policies: Any, template: Template) -> Iterator[tuple[str, str]]:
    """The actions and resources of a role's inline policies, whatever the template's conditions say."""
    if isinstance(policies, Mapping):
        for branch in policies.get("Fn::If", [])[1:]:
            yield from _list_role_permissions(branch, template)
        for statement in as_list(policies.get("PolicyDocument", {}).get("Statement")):
            for action in as_list(statement["Action"]):
                for resource in sorted(template.evaluate(statement["Resource"])):
                    yield action, resource
    elif isinstance(policies, list):
        for policy in policies:
            yield from _list_role_permissions(policy, template)


def _group_differences(
    document: str, found: set[Grant], lacks: bool, needs: list[Need], rules: Rules
) -> Iterator[Difference]:
    """Gathered by statement, and by what asks for it."""
    gathered: dict[tuple[str, str, tuple[str, ...]], list[Grant]] = {}
    for grant in sorted(found):
        asking = tuple(
            dict.fromkeys(
                need.by
                for need in needs
                if lacks
                and grant.statement in (need.scope, *rules.scopes[need.scope].view_scopes.values())
                and fnmatch.fnmatchcase(need.action, grant.action)
                and grant.resource in need.resources
            )
        )
        gathered.setdefault((grant.statement, grant.condition, asking), []).append(grant)
    for (statement, condition, asking), grouped in gathered.items():
        yield Difference(
            document,
            statement,
            lacks,
            list(dict.fromkeys(grant.action for grant in grouped)),
            list(dict.fromkeys(grant.resource for grant in grouped)),
            condition,
            list(asking),
        )
