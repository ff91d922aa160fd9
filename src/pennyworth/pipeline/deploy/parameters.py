"""The values of a stack's parameters."""

import hashlib
import json
from collections.abc import Mapping

from botocore.exceptions import ClientError

from pennyworth.aws.account import Account
from pennyworth.aws.errors import get_or_none
from pennyworth.aws.names import find_names
from pennyworth.aws.provenance import PARAMETER as PROVENANCE
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack_parameters import check_parameters
from pennyworth.host.errors import OperationFailed

BOUNDARY = "PermissionsBoundaryArn"
"""The stack parameter that caps the stack's roles."""

CONFIG_HASH = "ConfigHash"
"""The stack parameter that makes a new version of the function whenever it changes."""

RECORDS = frozenset({CONFIG_HASH, PROVENANCE})
"""Stack parameters that only say what else has changed."""

BESIDE_THE_FUNCTION = frozenset(
    {
        "AccessLogs",
        "AlarmEmail",
        "AlarmTopicArn",
        "AllowedIps",
        "ExecuteApiEndpoint",
        "IpAddressType",
        "KeepWarm",
        "LatencyAlarmSeconds",
        "LogRetentionDays",
        "MaxConcurrency",
        "Monitoring",
        "ProvisionedConcurrency",
        "Rollout",
        "ThrottleBurst",
        "ThrottleRate",
        "WebAclArn",
    }
)
"""Stack parameters that the function knows nothing of: a change of theirs makes no new version."""

_HASH_DIGITS = 12


def fill_parameters(template: SourceTemplate, given: Mapping[str, str]) -> dict[str, str]:
    """A value for each of a template's parameters: the given one, or its default where that is empty or absent.

    Raises:
        OperationFailed: one has neither, or the template refuses a given one.
    """
    check_parameters(template.document, given, rules=False)
    values = {}
    for name, declaration in template.parameters.items():
        value = given.get(name) or declaration.get("Default")
        if value is None:
            raise OperationFailed(f"{name} is not set", "The template has no default for it.")
        values[name] = str(value)
    return values


def hash_parameters(values: Mapping[str, str]) -> str:
    """A digest of the parameters that the function depends on: another one makes a new version of it."""
    seen = {name: value for name, value in values.items() if name not in {*RECORDS, *BESIDE_THE_FUNCTION}}
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:_HASH_DIGITS]


def complete_parameters(template: SourceTemplate, values: Mapping[str, str]) -> dict[str, str]:
    """The values with their hash, where the template has a parameter for it that nobody set.

    Raises:
        OperationFailed: they break one of the template's rules.
    """
    complete = dict(values)
    if values.get(CONFIG_HASH) == "":
        complete[CONFIG_HASH] = hash_parameters(values)
    check_parameters(template.document, complete)
    return complete


def fetch_stack_boundary(account: Account, stack: str) -> str:
    """The ARN of the boundary for the stack's roles; empty where the account has none.

    Args:
        account: the account.
        stack: the stack's name.
    Raises:
        OperationFailed: the credentials may not ask.
    """
    arn = account.build_policy_arn(find_names(account, stack).name_policy("stack-boundary"))
    try:
        found = get_or_none(account.client("iam").get_policy, PolicyArn=arn)
    except ClientError as failure:
        raise OperationFailed(
            "It can't be seen whether the stack's roles need a boundary",
            f"Allow iam:GetPolicy on {arn}, as policies/deployment.json does. Then run this again.",
            str(failure),
        ) from failure
    return arn if found else ""
