"""Compare the checked-in policy documents and the boundaries with what a template needs."""

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
    # the longest possible names, to check that a document still fits into a managed policy
    "ACCOUNT_ID": "123456789012",
    "REGION": "ap-southeast-2",
    "STACK_NAME": "a-name-of-24-characters-",
    "NAME_SUFFIX": "-a-name-of-24-characters-",
    "BASE_DOMAIN": "a-name-of-63-characters.that-is-the-longes.subdomain.example.uk",
    "HOSTED_ZONE_ID": "Z0123456789ABCDEFGHIJKLMNOPQRSTU",
    "PARTITION": "aws-us-gov",
    "SUBJECTS": ["repo:owner@123456789/repository@1234567890:ref:refs/heads/main"],
}


@dataclass(frozen=True)
class Difference:
    """Permissions that a statement of a checked-in document is missing, or that it does not need."""

    document: str
    statement: str
    missing: bool
    """Whether the permissions are missing. If False, they are unneeded."""
    actions: list[str]
    resources: list[str]
    condition: str
    by: list[str]
    """The resources and tools that need them."""

    def __str__(self) -> str:
        what = "missing" if self.missing else "unneeded"
        condition = f" if {self.condition}" if self.condition else ""
        by = f", needed by {'; '.join(self.by)}" if self.by else ""
        return (
            f"policies/{self.document}.json, statement {self.statement}: {what} {', '.join(self.actions)}"
            f" on {', '.join(self.resources)}{condition}{by}"
        )


def find_differences(
    wanted: Mapping[str, Document], needs: Iterable[Need], rules: Rules
) -> Iterator[Difference]:
    """Compare the derived documents with the checked-in ones.

    Args:
        wanted: the derived documents by name.
        needs: the needs they were derived from.
        rules: the rules with the scopes of the needs.
    Returns:
        what is missing and what is unneeded in the checked-in documents.
    """
    needs = list(needs)
    for name in dict.fromkeys((*documents.DEPLOYMENT, "first-deployment", *wanted)):
        actual = list_grants(documents.read_document(name)) if name in documents.NAMES else set()
        expected = list_grants(wanted[name]) if name in wanted else set()
        yield from _group_differences(name, expected - actual, True, needs, rules)
        yield from _group_differences(name, actual - expected, False, needs, rules)


def find_oversized_documents(wanted: Mapping[str, Document]) -> Iterator[str]:
    """Find the documents that would exceed IAM's limit with the longest names.

    Args:
        wanted: the derived documents by name.
    Returns:
        a message for each of them.
    """
    for name, document in wanted.items():
        characters = documents.count_characters(documents.fill_placeholders(document, _LONGEST))
        if characters > documents.MANAGED_POLICY_CHARACTERS:
            yield (
                f"policies/{name}.json would have {characters} characters with the longest names, but IAM allows"
                f" {documents.MANAGED_POLICY_CHARACTERS}. Move a statement to another document, in scopes.toml"
            )


def find_stale_rules(rules: Rules) -> Iterator[str]:
    """Find rules about actions or properties that a resource type does not have, and scopes that nothing uses.

    Args:
        rules: all rules.
    Returns:
        a message for each of them.
    """
    for entry in rules.left_out:
        listed_by = list_handler_permissions(entry.type)
        for pattern in entry.actions:
            if not fnmatch.filter(listed_by, pattern):
                yield f"left_out.toml: no handler of {entry.type} lists {pattern}"
        for name in set(entry.unless) - list_properties(entry.type):
            yield f"left_out.toml: {entry.type} has no property {name}"
    for kind, known in rules.types.items():
        for pattern in known.actions:
            if not fnmatch.filter(list_handler_permissions(kind), pattern):
                yield f"scopes.toml: no handler of {kind} lists {pattern}"
        named = {*known.aliases.values(), *known.required, *([known.name] if known.name else [])}
        for name in named - list_properties(kind):
            yield f"scopes.toml: {kind} has no property {name}"
    used = {
        *(call.scope for call in rules.calls),
        *(scope for known in rules.types.values() for scope in (known.scope, *known.actions.values())),
        *(known.tags for known in rules.types.values()),
        *(scope for known in rules.scopes.values() for scope in known.view_scopes.values()),
    }
    for scope in rules.scopes.keys() - used:
        yield f"scopes.toml: nothing uses the scope {scope}"


def find_needs_outside_boundary(needs: Iterable[Need]) -> Iterator[str]:
    """Find the deploy role's needs that its permissions boundary does not allow.

    Args:
        needs: what the roles need.
    Returns:
        a message for each of them.
    """
    boundary = documents.read_document("deploy-boundary")
    keep = {name: f"${{{name}}}" for name in documents.PLACEHOLDERS if name != "PASS_ROLE_ARNS"}
    for need in (one for one in needs if DEPLOY in one.roles):
        for resource in documents.fill_placeholders(need.resources, keep):
            if not allows(boundary, need.action, resource):
                yield f"policies/deploy-boundary.json does not allow {need.action} on {resource}, needed by {need.by}"


def find_roles_outside_boundary(template: Template) -> Iterator[str]:
    """Find permissions of the stack's roles that their permissions boundary does not allow.

    Args:
        template: the template with the roles.
    Returns:
        a message for each of them.
    """
    boundary = documents.read_document("stack-boundary")
    for logical_id in sorted(template.resources):
        if template.get_type(logical_id) != "AWS::IAM::Role":
            continue
        for action, resource in _list_role_permissions(
            template.get_properties(logical_id).get("Policies", []), template
        ):
            if not allows(boundary, action, resource):
                yield (
                    f"policies/stack-boundary.json does not allow {action} on {resource}, which {logical_id} has"
                )


def _list_role_permissions(policies: Any, template: Template) -> Iterator[tuple[str, str]]:
    """List the actions and resources of a role's inline policies, in all branches of Fn::If."""
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
    document: str, found: set[Grant], missing: bool, needs: list[Need], rules: Rules
) -> Iterator[Difference]:
    """Group permissions by statement and by who needs them."""
    gathered: dict[tuple[str, str, tuple[str, ...]], list[Grant]] = {}
    for grant in sorted(found):
        asking = tuple(
            dict.fromkeys(
                need.by
                for need in needs
                if missing
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
            missing,
            list(dict.fromkeys(grant.action for grant in grouped)),
            list(dict.fromkeys(grant.resource for grant in grouped)),
            condition,
            list(asking),
        )
