"""Finds what already has the name of a resource that a stack is about to create. CloudFormation would refuse it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from pennyworth.aws.account import Account
from pennyworth.aws.errors import is_absent, is_denied, read_error_code
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.template_values import EvaluatedTemplate
from pennyworth.github.masking import PUBLIC

_REMEDIES = {
    "AWS::ApiGateway::BasePathMapping": (
        "Another API is mapped to this domain. If nothing needs it: aws apigateway delete-base-path-mapping"
        " --domain-name {name} --base-path '(none)'. Or use another domain."
    ),
    "AWS::ApiGateway::DomainName": (
        "API Gateway has a custom domain of this name already. If nothing needs it: aws apigateway delete-domain-name"
        " --domain-name {name}. Or use another domain."
    ),
    "AWS::CloudWatch::Alarm": (
        "There is an alarm of this name already. If nothing needs it: aws cloudwatch delete-alarms --alarm-names"
        " {name}. Or deploy with another STACK_NAME."
    ),
    "AWS::CloudWatch::Dashboard": (
        "There is a dashboard of this name already. If nothing needs it: aws cloudwatch delete-dashboards"
        " --dashboard-names {name}. Or deploy with another STACK_NAME."
    ),
    "AWS::Logs::LogGroup": (
        "There is a log group of this name already, perhaps of an endpoint that was removed. If nobody needs what it"
        " holds: aws logs delete-log-group --log-group-name {name}. Or deploy with another STACK_NAME."
    ),
    "AWS::Route53::RecordSet": (
        "The hosted zone has a record of this name already. If nothing needs it, delete it in Route 53's console."
        " Or use another domain."
    ),
}
_MISSING = frozenset({"DashboardNotFoundError", "NotFoundException", "ResourceNotFound"})
_OTHER = "Something of this name exists outside of the stack. If nothing needs it, delete it."


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that is in a resource's way."""

    resource: str = field(metadata=PUBLIC)
    """The resource's logical ID."""
    type: str = field(metadata=PUBLIC)
    name: str
    """The name that both want."""

    def __str__(self) -> str:
        """Return what it is, in a line."""
        return f"{self.type} {self.name} exists already, outside of the stack ({self.resource})"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return find_remedy(self.type, self.name)


def find_remedy(kind: str, name: str = "NAME") -> str:
    """Say what to do about something that is in a resource's way.

    Args:
        kind: the resource's type.
        name: the name that both want, if it is known.
    """
    return _REMEDIES.get(kind, _OTHER).format(name=name)


def find_conflicts(
    account: Account, stack: str, template: SourceTemplate, parameters: Mapping[str, str]
) -> list[Conflict]:
    """Find what is in the way of the resources that a deployment would add. Leaves out what the account may not read.

    Args:
        account: the account, in the stack's region.
        stack: the stack's name; it need not exist.
        template: the template, as it is written.
        parameters: values of its parameters. Others have their defaults.
    """
    evaluated = EvaluatedTemplate(template.document, parameters, {"AWS::StackName": stack})
    own = _list_own(account, stack)
    found = []
    for logical_id, resource in evaluated.resources.items():
        look = _LOOKS.get(resource["Type"])
        name = look and _read_name(evaluated, resource)
        if not look or not name or name in own or "${" in name:
            continue
        try:
            taken = look.there(account, name, resource["Properties"])
        except ClientError as failure:
            if is_denied(failure) or is_absent(failure):  # such as the hosted zone
                continue
            raise
        if taken:
            found.append(Conflict(logical_id, resource["Type"], name))
    return found


def _read_name(evaluated: EvaluatedTemplate, resource: Mapping[str, Any]) -> str:
    """Read a resource's name. That of a record may be the domain's, which another resource makes."""
    name = str(resource["Properties"].get(_LOOKS[resource["Type"]].property, ""))
    domain = evaluated.resources.get(name.removeprefix("${").removesuffix("}"))
    return str(domain["Properties"].get("DomainName", "")) if domain else name


def _list_own(account: Account, stack: str) -> frozenset[str]:
    """List the names of what the stack has."""
    if account.describe_stack(stack) is None:
        return frozenset()
    pages = account.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return frozenset(
        one.get("PhysicalResourceId", "")
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["ResourceStatus"] != "DELETE_COMPLETE"
    )


def _is_there(call: Callable[..., Any], **arguments: str) -> bool:
    try:
        call(**arguments)
    except ClientError as failure:
        if read_error_code(failure) in _MISSING:
            return False
        raise
    return True


def _has_domain(account: Account, name: str, _: Mapping[str, Any]) -> bool:
    return _is_there(account.client("apigateway").get_domain_name, domainName=name)


def _has_alarm(account: Account, name: str, _: Mapping[str, Any]) -> bool:
    found = account.client("cloudwatch").describe_alarms(AlarmNames=[name])
    return bool(found.get("MetricAlarms") or found.get("CompositeAlarms"))


def _has_dashboard(account: Account, name: str, _: Mapping[str, Any]) -> bool:
    return _is_there(account.client("cloudwatch").get_dashboard, DashboardName=name)


def _has_log_group(account: Account, name: str, _: Mapping[str, Any]) -> bool:
    found = account.client("logs").describe_log_groups(logGroupNamePrefix=name)
    return any(one["logGroupName"] == name for one in found["logGroups"])


def _has_record(account: Account, name: str, properties: Mapping[str, Any]) -> bool:
    """Check for a record of the same type, or an alias of the whole name."""
    found = account.client("route53").list_resource_record_sets(
        HostedZoneId=properties["HostedZoneId"], StartRecordName=name, MaxItems="20"
    )
    return any(
        one["Name"].rstrip(".") == name.rstrip(".") and one["Type"] in {properties["Type"], "CNAME"}
        for one in found["ResourceRecordSets"]
    )


@dataclass(frozen=True, slots=True)
class _Look:
    property: str
    """The property with the name."""
    there: Callable[[Account, str, Mapping[str, Any]], bool]
    """Whether there is something of a name, given the resource's properties."""


_LOOKS: Mapping[str, _Look] = {
    "AWS::ApiGateway::DomainName": _Look("DomainName", _has_domain),
    "AWS::CloudWatch::Alarm": _Look("AlarmName", _has_alarm),
    "AWS::CloudWatch::Dashboard": _Look("DashboardName", _has_dashboard),
    "AWS::Logs::LogGroup": _Look("LogGroupName", _has_log_group),
    "AWS::Route53::RecordSet": _Look("Name", _has_record),
}
"""A base path mapping is in the way only together with its domain."""
