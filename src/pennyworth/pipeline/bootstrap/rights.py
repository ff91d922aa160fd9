"""The deploy role and its policies as they are in the account, held against the documents that they were made from."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pennyworth.pipeline.bootstrap.account import Account, absent_as_none
from pennyworth.pipeline.bootstrap.settings import Settings
from pennyworth.pipeline.bootstrap.template import BOUNDARY, FIRST
from pennyworth.pipeline.passrole.document import ACTION, SERVICE_KEY, SID, Document, difference, same, text
from pennyworth.pipeline.passrole.versions import ManagedPolicy
from pennyworth.pipeline.policy.documents import DEPLOY_ROLE, MANAGED_POLICIES, filled


@dataclass(frozen=True, slots=True)
class Drift:
    """Something that is not as it was made."""

    what: str
    detail: str
    mend: Callable[[], object] | None
    """Puts it back; None where only the stack can."""


def drifts(account: Account, settings: Settings) -> Iterator[Drift]:
    """Whatever of the role, its trust, its policies and boundaries is not as the documents say.

    A PassRole statement that names the stack's own roles, as `tighten-passrole` writes it, is as it must be.
    """
    role = absent_as_none(account.client("iam").get_role, RoleName=DEPLOY_ROLE)
    if role is None:
        yield Drift(f"role {DEPLOY_ROLE}", "it is not there", None)
    else:
        yield from _of_role(account, settings, role["Role"])
    for document in _present(settings):
        yield from _of_policy(account, settings, document)


def trust(account: Account, settings: Settings) -> Document:
    """The trust policy that the deploy role must have."""
    return filled("trust", settings.values(account.number, account.partition))


def narrowed(document: Mapping[str, Any], stack: str) -> list[dict[str, Any]]:
    """A policy's PassRole statements, where they name roles of the stack one by one; else none."""
    own = [one for one in document["Statement"] if re.fullmatch(rf"{SID}\d*", one.get("Sid", ""))]
    named = re.compile(rf"arn:[\w-]+:iam::\d+:role/{re.escape(stack)}-[A-Za-z0-9]+-(\w+|\*)")
    for statement in own:
        services = statement.get("Condition", {}).get("StringEquals", {}).get(SERVICE_KEY, "*")
        if (
            statement["Effect"] != "Allow"
            or _listed(statement["Action"]) != [ACTION]
            or not all(named.fullmatch(arn) for arn in _listed(statement.get("Resource", "*")))
            or any("*" in service for service in _listed(services))
        ):
            return []
    return own


def kept(document: Document, statements: list[dict[str, Any]]) -> Document:
    """A document with these PassRole statements in place of its own; itself where there are none."""
    if not statements:
        return document
    replaced: list[dict[str, Any]] = []
    for statement in document["Statement"]:
        replaced += statements if statement.get("Sid") == SID else [statement]
    return {**document, "Statement": replaced}


def _present(settings: Settings) -> list[str]:
    """The documents that are managed policies in this account."""
    return [name for name in MANAGED_POLICIES if name != FIRST or settings["FirstDeployment"] == "yes"]


def _of_role(account: Account, settings: Settings, role: Mapping[str, Any]) -> Iterator[Drift]:
    iam = account.client("iam")
    expected = trust(account, settings)
    if not same(role["AssumeRolePolicyDocument"], expected):
        yield Drift(
            "trust policy",
            difference(role["AssumeRolePolicyDocument"], expected),
            lambda: iam.update_assume_role_policy(RoleName=DEPLOY_ROLE, PolicyDocument=text(expected)),
        )
    boundary = account.arn(f"policy/{MANAGED_POLICIES['deploy-boundary']}")
    if role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn") != boundary:
        yield Drift(
            "role's boundary",
            f"it is not {MANAGED_POLICIES['deploy-boundary']}",
            lambda: iam.put_role_permissions_boundary(RoleName=DEPLOY_ROLE, PermissionsBoundary=boundary),
        )
    wanted = {
        account.arn(f"policy/{MANAGED_POLICIES[name]}")
        for name in _present(settings)
        if not name.endswith(BOUNDARY)
    }
    pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=DEPLOY_ROLE)
    attached = {policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]}
    for arn in sorted(wanted - attached):
        yield Drift(
            "role's policies",
            f"{arn.rpartition('/')[2]} is not attached",
            lambda arn=arn: iam.attach_role_policy(RoleName=DEPLOY_ROLE, PolicyArn=arn),  # type: ignore[misc]
        )
    for arn in sorted(attached - wanted):
        yield Drift(
            "role's policies",
            f"{arn} is attached, which nobody needs",
            lambda arn=arn: iam.detach_role_policy(RoleName=DEPLOY_ROLE, PolicyArn=arn),  # type: ignore[misc]
        )
    for name in iam.list_role_policies(RoleName=DEPLOY_ROLE)["PolicyNames"]:
        yield Drift(
            "role's policies",
            f"it has a policy of its own, {name}, which nobody needs",
            lambda name=name: iam.delete_role_policy(RoleName=DEPLOY_ROLE, PolicyName=name),  # type: ignore[misc]
        )


def _of_policy(account: Account, settings: Settings, document: str) -> Iterator[Drift]:
    name = MANAGED_POLICIES[document]
    arn = account.arn(f"policy/{name}")
    if absent_as_none(account.client("iam").get_policy, PolicyArn=arn) is None:
        yield Drift(f"policy {name}", "it is not there", None)
        return
    policy = ManagedPolicy(arn, account.client("iam"))
    _, actual = policy.current()
    expected = filled(document, settings.values(account.number, account.partition))
    if document == "deployment":
        expected = kept(expected, narrowed(actual, settings["StackName"]))
    if not same(actual, expected):
        yield Drift(f"policy {name}", difference(actual, expected), lambda: policy.put(expected))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
