"""Which roles a stack hands to which services: those that it has, and those that a template is about to create."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from pennyworth.aws.account import Account
from pennyworth.aws.errors import is_absent
from pennyworth.aws.intrinsics import Evaluator, Unknown
from pennyworth.aws.source_template import SourceTemplate, TemplateRefused
from pennyworth.aws.stack import list_physical_ids
from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import as_list

KIND = "AWS::IAM::Role"

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_ROLE_NAME_CHARACTERS = 64
_RANDOM_CHARACTERS = 13
"""What CloudFormation puts behind STACK-LOGICALID-, at most."""

_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d{12}:role/\S+")
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")


@dataclass(frozen=True, slots=True, order=True)
class Role:
    """A role that a service may be handed."""

    arn: str
    """Of one that is not there yet, * stands for the random end of its name."""
    services: tuple[str, ...]
    """The services that its trust policy names, such as lambda.amazonaws.com."""


def fetch_roles(account: Account, name: str) -> dict[str, Role]:
    """The roles that a stack has, by logical id; none where there is no such stack.

    Args:
        account: the stack's account, seen from the stack's region.
        name: the stack's name.
    Raises:
        OperationFailed: one lies outside of what the deploy role may hand on, or an output names a role of others.
    """
    stack = account.describe_stack(name)
    if stack is None:
        return {}
    roles = {}
    own = set()
    for logical_id, role_name in list_physical_ids(account.client("cloudformation"), name, KIND).items():
        _check_within(account.build_role_arn(role_name), name, account)  # of no other may the deploy role ask
        try:
            role = account.client("iam").get_role(RoleName=role_name)["Role"]
        except ClientError as failure:
            if not is_absent(failure):
                raise
            raise OperationFailed(
                f"The stack's role {logical_id} is gone",
                f"Somebody deleted the role {role_name}. Have the stack make a new one: deploy once without it, then"
                " with it.",
            ) from failure
        _check_within(role["Arn"], name, account)
        own.add(role["Arn"])
        if services := _list_services(role["AssumeRolePolicyDocument"]):
            roles[logical_id] = Role(role["Arn"], services)
    for output, value in stack.outputs.items():
        if _ROLE_ARN.fullmatch(value) and value not in own:
            raise OperationFailed(
                f"The output {output} names a role that is none of the stack's",
                f"{value} was not made by the stack {name}, which hands on its own roles only. Have the template"
                " make the role, or take the output out of it.",
            )
    return roles


def foresee_roles(path: Path, stack: str, account: Account, existing: Mapping[str, Role]) -> dict[str, Role]:
    """The roles that the stack will have once a template is deployed, by logical id.

    A role under a condition counts as one that will be created.

    Args:
        path: a CloudFormation or SAM template, built or not.
        stack: the stack's name.
        account: the stack's account, seen from the stack's region.
        existing: the roles that it has.
    Raises:
        OperationFailed: a role's name or trust can't be told before the deployment, or lies outside of what the deploy
            role may hand on.
    """
    known = {
        "AWS::StackName": stack,
        "AWS::Region": account.region,
        "AWS::Partition": account.partition,
        "AWS::AccountId": account.id,
        "AWS::URLSuffix": "amazonaws.com.cn" if account.partition == "aws-cn" else "amazonaws.com",
    }
    try:
        resources = SourceTemplate.read(path).transform(known)["Resources"]
    except TemplateRefused as refused:
        raise OperationFailed("The template can't be read", str(refused)) from refused
    roles = {}
    evaluator = _Foreseen(known)
    for logical_id, resource in resources.items():
        if resource["Type"] != KIND:
            continue
        properties = evaluator.evaluate(resource.get("Properties", {}))
        try:
            services = _list_services(properties["AssumeRolePolicyDocument"])
            arn = _compute_arn(logical_id, properties, stack, account, existing.get(logical_id))
        except (_Unforeseeable, KeyError) as unknown:
            raise OperationFailed(
                f"The role {logical_id} can't be foreseen",
                f"{unknown} in its RoleName, Path or AssumeRolePolicyDocument is only known once it is deployed. Write"
                " the value itself there.",
            ) from unknown
        if services:
            _check_within(arn, stack, account)
            roles[logical_id] = Role(arn, services)
    return roles


def _compute_arn(
    logical_id: str, properties: Mapping[str, Any], stack: str, account: Account, existing: Role | None
) -> str:
    """The ARN that a template's role has or will have."""
    path = _check_text(properties.get("Path", "/"))
    if "RoleName" in properties:
        return account.build_role_arn(f"{path.strip('/')}/{_check_text(properties['RoleName'])}".lstrip("/"))
    prefix = account.build_role_arn(f"{path.strip('/')}/{stack}-{logical_id}-".lstrip("/"))
    if existing and existing.arn.startswith(prefix):
        return existing.arn
    if len(f"{stack}-{logical_id}-") + _RANDOM_CHARACTERS > _ROLE_NAME_CHARACTERS:
        room = _ROLE_NAME_CHARACTERS - _RANDOM_CHARACTERS - len(f"{stack}--")
        raise OperationFailed(
            f"The role {logical_id} has too long a name",
            "CloudFormation would shorten it, in a way that no policy can foresee. Shorten its logical id to"
            f" {room} characters.",
        )
    return f"{prefix}*"


def _check_within(arn: str, stack: str, account: Account) -> None:
    """Check that a role's name begins with the stack's: no other may the deploy role create or hand on."""
    if not arn.startswith(account.build_role_arn(f"{stack}-")):
        raise OperationFailed(
            "A role lies outside the stack's prefix",
            f"{arn} does not begin with {account.build_role_arn(f'{stack}-')}, and only such roles may be handed to a service."
            " Leave RoleName and Path out of the template, or begin the name with the stack's.",
        )


def _list_services(trust: Mapping[str, Any]) -> tuple[str, ...]:
    """The services that a trust policy lets take the role."""
    found: set[str] = set()
    for statement in map(_check_known, as_list(trust["Statement"])):
        principal = _check_known(statement.get("Principal", {}))
        if statement["Effect"] == "Allow" and isinstance(principal, Mapping):
            found |= {_check_text(service) for service in as_list(principal.get("Service"))}
    for service in found:
        if not _SERVICE.fullmatch(service):
            raise OperationFailed(
                "A role trusts no service by name",
                f"{service!r} is not a service such as lambda.amazonaws.com.",
            )
    return tuple(sorted(found))


class _Unforeseeable(Exception):
    """A value that only the deployment will tell."""


def _check_known(value: Any) -> Any:
    if isinstance(value, Unknown):
        raise _Unforeseeable(json.dumps(value.expression, default=str))
    return value


def _check_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _Unforeseeable(json.dumps(_check_known(value), default=str))


class _Foreseen(Evaluator):
    """Works out what is known before a deployment, whatever the conditions are."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def look_up(self, name: str) -> Sequence[str] | None:
        return [self._known[name]] if name in self._known else None

    def list_outcomes(self, condition: Any) -> Sequence[bool]:
        return ()
