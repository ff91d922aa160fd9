"""Compare the roles and policies in an account with the documents that they were created from."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pennyworth.aws.account import Account
from pennyworth.aws.errors import get_or_none
from pennyworth.aws.github_oidc import ISSUER
from pennyworth.host.lists import as_list
from pennyworth.iam.bootstrap_template.template import ATTACHED, FIRST
from pennyworth.iam.passrole.document import (
    ACTION,
    SERVICE_KEY,
    SID,
    Document,
    is_equivalent,
    render_diff,
    render_json,
)
from pennyworth.iam.passrole.versions import ManagedPolicy
from pennyworth.iam.policy.documents import MANAGED, VIEW, render_document
from pennyworth.iam.settings import Settings

_OWN = re.compile(rf"{SID}\d*")
"""The Sids of the statements that `tighten-passrole` writes."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A manual change of a role or a policy."""

    what: str
    detail: str
    restore: Callable[[], object] | None
    """Undoes the change; None if only an update of the stack can."""


@dataclass(frozen=True, slots=True)
class _ExpectedRole:
    """A role as it should be."""

    name: str
    subjects: list[str]
    workflows: list[str]
    """The `job_workflow_ref` claims to trust. Empty: all."""
    boundary: str
    documents: list[str]


def _list_roles(settings: Settings) -> Iterator[_ExpectedRole]:
    attached = [document for document in _list_present(settings) if document in ATTACHED]
    yield _ExpectedRole(
        settings.names.deploy_role,
        settings.list_subjects(),
        settings.list_workflows(),
        "deploy-boundary",
        attached,
    )
    if settings.views:
        yield _ExpectedRole(settings.names.view_role, settings.list_view_subjects(), [], VIEW, [VIEW])


def find_drifts(account: Account, settings: Settings) -> Iterator[Drift]:
    """Find manual changes of the roles, their trust policies, policies and boundaries.

    PassRole statements that `tighten-passrole` wrote are no drift.

    Args:
        account: the account.
        settings: the account's settings.
    Returns:
        each difference from the documents.
    """
    for made in _list_roles(settings):
        role = get_or_none(account.client("iam").get_role, RoleName=made.name)
        if role is None:
            yield Drift(f"role {made.name}", "it does not exist", None)
        else:
            yield from _find_role_drifts(account, settings, made, role["Role"])
    for document in _list_present(settings):
        yield from _find_policy_drifts(account, settings, document)


def make_trust_policy(account: Account, settings: Settings, role: _ExpectedRole | None = None) -> Document:
    """Make the trust policy that a role should have.

    Args:
        account: the account.
        settings: the account's settings.
        role: the role; by default the deploy role.
    Returns:
        the trust policy.
    """
    values = settings.list_values(account.id, account.partition)
    if role:
        values |= {"SUBJECTS": role.subjects} | ({} if role.workflows else {"WORKFLOWS": []})
    document: Document = json.loads(
        json.dumps(render_document("trust", values)).replace(ISSUER, settings["Issuer"])
    )
    return document


def find_tightened_statements(document: Mapping[str, Any], stack: str) -> list[dict[str, Any]]:
    """Find the PassRole statements that list the stack's roles one by one.

    Args:
        document: a policy document.
        stack: the stack's name.
    Returns:
        the statements; empty if any of them allows more than the stack's own roles.
    """
    own = [one for one in document["Statement"] if _OWN.fullmatch(one.get("Sid", ""))]
    named = re.compile(rf"arn:[\w-]+:iam::\d+:role/{re.escape(stack)}-[A-Za-z0-9]+-(\w+|\*)")
    for statement in own:
        services = statement.get("Condition", {}).get("StringEquals", {}).get(SERVICE_KEY, "*")
        if (
            statement["Effect"] != "Allow"
            or as_list(statement["Action"]) != [ACTION]
            or not all(named.fullmatch(arn) for arn in as_list(statement.get("Resource", "*")))
            or any("*" in service for service in as_list(services))
        ):
            return []
    return own


def keep_tightened_statements(document: Document, statements: list[dict[str, Any]]) -> Document:
    """Replace a document's PassRole statements with tightened ones.

    Args:
        document: a policy document.
        statements: the tightened statements. Without any, the document is not changed.
    Returns:
        the new document.
    """
    if not statements:
        return document
    place = next(place for place, one in enumerate(document["Statement"]) if one.get("Sid") == SID)
    others = [one for one in document["Statement"] if not _OWN.fullmatch(one.get("Sid", ""))]
    return {**document, "Statement": [*others[:place], *statements, *others[place:]]}


def _list_present(settings: Settings) -> list[str]:
    """List the documents whose managed policies exist with these settings."""
    absent = {FIRST: settings["FirstDeployment"] == "no", VIEW: not settings.views}
    return [name for name in MANAGED if not absent.get(name)]


def _find_role_drifts(
    account: Account, settings: Settings, made: _ExpectedRole, role: Mapping[str, Any]
) -> Iterator[Drift]:
    iam = account.client("iam")
    which = "" if made.name == settings.names.deploy_role else f" of {made.name}"
    expected = make_trust_policy(account, settings, made)
    if not is_equivalent(role["AssumeRolePolicyDocument"], expected):
        yield Drift(
            f"trust policy{which}",
            render_diff(role["AssumeRolePolicyDocument"], expected),
            lambda: iam.update_assume_role_policy(RoleName=made.name, PolicyDocument=render_json(expected)),
        )
    boundary = account.build_policy_arn(settings.names.name_policy(made.boundary))
    if role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") != boundary:
        yield Drift(
            f"role's boundary{which}",
            f"it is not {settings.names.name_policy(made.boundary)}",
            lambda: iam.put_role_permissions_boundary(RoleName=made.name, PermissionsBoundary=boundary),
        )
    wanted = {account.build_policy_arn(settings.names.name_policy(name)) for name in made.documents}
    pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=made.name)
    attached = {policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]}
    for arn in sorted(wanted - attached):
        yield Drift(
            f"role's policies{which}",
            f"{arn.rpartition('/')[2]} is not attached",
            lambda arn=arn: iam.attach_role_policy(RoleName=made.name, PolicyArn=arn),  # type: ignore[misc]
        )
    for arn in sorted(attached - wanted):
        yield Drift(
            f"role's policies{which}",
            f"{arn} is attached, but should not be",
            lambda arn=arn: iam.detach_role_policy(RoleName=made.name, PolicyArn=arn),  # type: ignore[misc]
        )
    for name in iam.list_role_policies(RoleName=made.name)["PolicyNames"]:
        yield Drift(
            f"role's policies{which}",
            f"it has an unexpected inline policy, {name}",
            lambda name=name: iam.delete_role_policy(RoleName=made.name, PolicyName=name),  # type: ignore[misc]
        )


def _find_policy_drifts(account: Account, settings: Settings, document: str) -> Iterator[Drift]:
    name = settings.names.name_policy(document)
    arn = account.build_policy_arn(name)
    if get_or_none(account.client("iam").get_policy, PolicyArn=arn) is None:
        yield Drift(f"policy {name}", "it does not exist", None)
        return
    policy = ManagedPolicy(arn, account.client("iam"))
    _, actual = policy.fetch_current()
    expected = render_document(document, settings.list_values(account.id, account.partition))
    if document == "deployment":
        expected = keep_tightened_statements(
            expected, find_tightened_statements(actual, settings["StackName"])
        )
    if not is_equivalent(actual, expected):
        yield Drift(f"policy {name}", render_diff(actual, expected), lambda: policy.put(expected))
