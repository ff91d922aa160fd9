"""The roles that a stack passes to services: those that it has, and those that a template will create."""

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
"""The maximum length of the random end that CloudFormation appends to STACK-LOGICALID-."""

_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d{12}:role/\S+")
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")


@dataclass(frozen=True, slots=True, order=True)
class Role:
    """A role that may be passed to services."""

    arn: str
    """If the role does not exist yet, * stands for the random end of its name."""
    services: tuple[str, ...]
    """The services that its trust policy names, such as lambda.amazonaws.com."""


def fetch_roles(account: Account, name: str) -> dict[str, Role]:
    """Fetch the roles that a stack has.

    Args:
        account: the stack's account, in the stack's region.
        name: the stack's name.
    Returns:
        the roles by logical ID, without those that trust no service; empty if the stack does not exist.
    Raises:
        OperationFailed: a role's name lacks the stack's prefix, a role was deleted, or an output names a role that is
            not the stack's.
    """
    stack = account.describe_stack(name)
    if stack is None:
        return {}
    roles = {}
    own = set()
    for logical_id, role_name in list_physical_ids(account.client("cloudformation"), name, KIND).items():
        _check_within(
            account.build_role_arn(role_name), name, account
        )  # the deploy role can read no other roles
        try:
            role = account.client("iam").get_role(RoleName=role_name)["Role"]
        except ClientError as failure:
            if not is_absent(failure):
                raise
            raise OperationFailed(
                f"The stack's role {logical_id} does not exist",
                f"Someone deleted the role {role_name}. To create it again, deploy once without it in the template,"
                " then with it.",
            ) from failure
        _check_within(role["Arn"], name, account)
        own.add(role["Arn"])
        if services := _list_services(role["AssumeRolePolicyDocument"]):
            roles[logical_id] = Role(role["Arn"], services)
    for output, value in stack.outputs.items():
        if _ROLE_ARN.fullmatch(value) and value not in own:
            raise OperationFailed(
                f"The output {output} names a role that is not part of the stack",
                f"The stack {name} did not create {value}, and only its own roles may be passed. Create the role in"
                " the template, or remove the output.",
            )
    return roles


def predict_roles(path: Path, stack: str, account: Account, existing: Mapping[str, Role]) -> dict[str, Role]:
    """Predict the roles that the stack will have after a template is deployed, including those with a condition.

    Args:
        path: a CloudFormation or SAM template, built or not.
        stack: the stack's name.
        account: the stack's account, in the stack's region.
        existing: the roles that the stack has now.
    Returns:
        the roles by logical ID, without those that trust no service.
    Raises:
        OperationFailed: a role's name or trust policy can't be predicted, or its name lacks the stack's prefix.
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
    evaluator = _Predictor(known)
    for logical_id, resource in resources.items():
        if resource["Type"] != KIND:
            continue
        properties = evaluator.evaluate(resource.get("Properties", {}))
        try:
            services = _list_services(properties["AssumeRolePolicyDocument"])
            arn = _compute_arn(logical_id, properties, stack, account, existing.get(logical_id))
        except (_Unpredictable, KeyError) as unknown:
            raise OperationFailed(
                f"The role {logical_id} can't be predicted",
                f"{unknown} in its RoleName, Path or AssumeRolePolicyDocument is known only after the deployment. Use a"
                " literal value instead.",
            ) from unknown
        if services:
            _check_within(arn, stack, account)
            roles[logical_id] = Role(arn, services)
    return roles


def _compute_arn(
    logical_id: str, properties: Mapping[str, Any], stack: str, account: Account, existing: Role | None
) -> str:
    """Compute the ARN that a template's role has or will have."""
    path = _check_text(properties.get("Path", "/"))
    if "RoleName" in properties:
        return account.build_role_arn(f"{path.strip('/')}/{_check_text(properties['RoleName'])}".lstrip("/"))
    prefix = account.build_role_arn(f"{path.strip('/')}/{stack}-{logical_id}-".lstrip("/"))
    if existing and existing.arn.startswith(prefix):
        return existing.arn
    if len(f"{stack}-{logical_id}-") + _RANDOM_CHARACTERS > _ROLE_NAME_CHARACTERS:
        room = _ROLE_NAME_CHARACTERS - _RANDOM_CHARACTERS - len(f"{stack}--")
        raise OperationFailed(
            f"The name of the role {logical_id} is too long",
            f"CloudFormation would shorten it unpredictably. Shorten the role's logical ID to {room} characters.",
        )
    return f"{prefix}*"


def _check_within(arn: str, stack: str, account: Account) -> None:
    """Check that a role's name begins with the stack's. The deploy role can't create or pass other roles."""
    prefix = account.build_role_arn(f"{stack}-")
    if not arn.startswith(prefix):
        raise OperationFailed(
            "A role's name lacks the stack's prefix",
            f"{arn} does not begin with {prefix}, and only such roles may be passed to services. Remove RoleName and"
            " Path from the template, or begin the name with the stack's.",
        )


def _list_services(trust: Mapping[str, Any]) -> tuple[str, ...]:
    """List the services that a trust policy allows to assume the role."""
    found: set[str] = set()
    for statement in map(_check_known, as_list(trust["Statement"])):
        principal = _check_known(statement.get("Principal", {}))
        if statement["Effect"] == "Allow" and isinstance(principal, Mapping):
            found |= {_check_text(service) for service in as_list(principal.get("Service"))}
    for service in found:
        if not _SERVICE.fullmatch(service):
            raise OperationFailed(
                "A role trusts an unknown service",
                f"{service!r} is not the name of a service, such as lambda.amazonaws.com.",
            )
    return tuple(sorted(found))


class _Unpredictable(Exception):
    """A value that is known only after the deployment."""


def _check_known(value: Any) -> Any:
    if isinstance(value, Unknown):
        raise _Unpredictable(json.dumps(value.expression, default=str))
    return value


def _check_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _Unpredictable(json.dumps(_check_known(value), default=str))


class _Predictor(Evaluator):
    """Evaluates what is known before a deployment, without deciding conditions."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def look_up(self, name: str) -> Sequence[str] | None:
        return [self._known[name]] if name in self._known else None

    def list_outcomes(self, condition: Any) -> Sequence[bool]:
        return ()
