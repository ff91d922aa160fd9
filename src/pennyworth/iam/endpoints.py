"""The endpoints that an account is set up for. IAM belongs to all regions, so it tells of those elsewhere, too."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.errors import get_or_none
from pennyworth.aws.names import BOOTSTRAP, Names
from pennyworth.host.lists import as_list
from pennyworth.iam.passrole.versions import ManagedPolicy
from pennyworth.iam.settings import are_alike

_STACK = re.compile(r"arn:[^:]+:cloudformation:([a-z0-9-]+):\d+:stack/([A-Za-z0-9-]+)/\*")
_DOMAIN = re.compile(r"/domainnames/api\.(.+[^*/])")
_REPOSITORY = re.compile(r"repo:([^/@]+)(?:@\d+)?/([^:@]+)(?:@\d+)?:")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that `pennyworth bootstrap` prepared. It need not be deployed yet."""

    names: Names
    stack: str
    """The name of its stack; empty if `pennyworth bootstrap` did not make the role."""
    region: str
    """Its region; empty, too, in that case."""
    domain: str
    """The parent domain; empty without a custom domain."""
    repositories: frozenset[str]
    """The repositories that deploy it, OWNER/NAME."""


def list_endpoints(account: Account) -> list[Endpoint]:
    """List the endpoints that the account is set up for, in all regions.

    Args:
        account: the account.
    """
    found = []
    for page in account.client("iam").get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            names = Names.of_role(role["RoleName"])
            if names and role["RoleName"] == names.deploy_role:
                found.append(_read_endpoint(account, names, role["AssumeRolePolicyDocument"]))
    return sorted(found, key=lambda one: one.names.suffix)


def pick_endpoint(account: Account, stack: str = "") -> Endpoint | None:
    """Pick the endpoint to work on in the account's region.

    Args:
        account: the account.
        stack: the name of the endpoint's stack. Empty: the only one.
    Returns:
        the endpoint; None if the region has none, or none with that name.
    Raises:
        Unprepared: there are several, and none was named.
    """
    here = [one for one in list_endpoints(account) if one.region == account.region]
    if stack:
        return next((one for one in here if one.stack == stack), None)
    if len(here) > 1:
        raise Unprepared(
            f"There are several endpoints in {account.region}: {', '.join(one.stack for one in here)}. Choose one with"
            " --stack-name."
        )
    return here[0] if here else None


def check_new_endpoint(stack: str, others: list[Endpoint]) -> None:
    """Refuse a stack name with which one endpoint's permissions would cover another endpoint's resources.

    Args:
        stack: the new endpoint's stack name.
        others: the account's endpoints.
    Raises:
        Unprepared: the name can't be used. The message says why.
    """
    if are_alike(stack, BOOTSTRAP):
        raise Unprepared(
            f"The stack name {stack} is too close to {BOOTSTRAP}, the stack of this setup: permissions go by what names"
            " begin with. Choose another name with --stack-name."
        )
    for one in others:
        if not one.stack:
            raise Unprepared(
                f"This account has a role {one.names.deploy_role} that `pennyworth bootstrap` did not make: no policy"
                f" {one.names.name_policy('deploy-boundary')} says what it deploys. Delete or rename the role, then run"
                " this again."
            )
        if are_alike(one.stack, stack):
            raise Unprepared(
                f"The stack name {stack} is too close to {one.stack}, the endpoint in {one.region}: "
                f"{'they are equal' if stack == one.stack else 'one of them continues the other after a hyphen'}."
                " Permissions go by what names begin with, and roles and dashboards belong to all regions. So each"
                " endpoint's deploy role could change what belongs to the other one. Choose another name with"
                f" --stack-name, such as {_propose_name(stack, one)}"
            )


def _propose_name(stack: str, other: Endpoint) -> str:
    """Propose a stack name that is not too close to another endpoint's: staging-llm for llm-staging."""
    special = stack.removeprefix(f"{other.stack}-") if stack.startswith(f"{other.stack}-") else "second"
    return f"{special}-{other.stack}"[:24].rstrip("-")


def _read_endpoint(account: Account, names: Names, trust: dict[str, Any]) -> Endpoint:
    """Read from a deploy role's boundary and trust policy what it deploys."""
    boundary = account.build_policy_arn(names.name_policy("deploy-boundary"))
    resources: list[str] = []
    if get_or_none(account.client("iam").get_policy, PolicyArn=boundary):
        _, document = ManagedPolicy(boundary, account.client("iam")).fetch_current()
        resources = [one for statement in document["Statement"] for one in as_list(statement.get("Resource"))]
    stacks = [found for one in resources if (found := _STACK.fullmatch(one))]
    domains = [found[1] for one in resources if (found := _DOMAIN.search(one))]
    return Endpoint(
        names=names,
        stack=stacks[0][2] if stacks else "",
        region=stacks[0][1] if stacks else "",
        domain=domains[0] if domains else "",
        repositories=frozenset(_list_repositories(trust)),
    )


def _list_repositories(trust: dict[str, Any]) -> Iterator[str]:
    for statement in as_list(trust.get("Statement")):
        for values in statement.get("Condition", {}).get("StringEquals", {}).values():
            for value in as_list(values):
                if found := _REPOSITORY.match(value):
                    yield f"{found[1]}/{found[2]}"
