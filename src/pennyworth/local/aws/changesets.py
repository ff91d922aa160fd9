"""Corrects MiniStack's change sets: which properties replace a resource, and which resources a condition omits.

Corrects only change sets, not how a stack is updated.
"""

import inspect
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import engine

Call = Callable[..., Any]

CREATE_ONLY: dict[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "AWS::ApiGateway::BasePathMapping": "DomainName BasePath",
        "AWS::ApiGateway::Deployment": "DeploymentCanarySettings RestApiId",
        "AWS::ApiGateway::DomainName": "DomainName",
        "AWS::ApiGateway::RestApi": "",
        "AWS::ApiGateway::Stage": "RestApiId StageName",
        "AWS::CloudWatch::Alarm": "AlarmName",
        "AWS::CloudWatch::Dashboard": "DashboardName",
        "AWS::Events::Rule": "Name",
        "AWS::Lambda::Alias": "Name FunctionName",
        "AWS::Lambda::Function": "FunctionName PackageType TenancyConfig",
        "AWS::Lambda::Permission": (
            "FunctionName FunctionUrlAuthType InvokedViaFunctionUrl SourceAccount SourceArn Principal PrincipalOrgID"
            " Action EventSourceToken"
        ),
        "AWS::Lambda::Version": "FunctionName Description CodeSha256 ProvisionedConcurrencyConfig RuntimePolicy",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::Route53::RecordSet": "HostedZoneName HostedZoneId",
        "AWS::SNS::Topic": "TopicName FifoTopic",
        "AWS::WAFv2::WebACLAssociation": "ResourceArn WebACLArn",
    }.items()
}
"""The properties whose change replaces the resource, by type: createOnlyProperties in the resource schemas."""


def recreation(original: Call, bound: inspect.BoundArguments) -> str:
    """Return whether a change of a property replaces the resource. MiniStack mostly can't tell."""
    names = CREATE_ONLY.get(bound.arguments["resource_type"])
    if names is None:
        return str(original(*bound.args, **bound.kwargs))
    return "Always" if bound.arguments["name"] in names else "Never"


def made(original: Call, bound: inspect.BoundArguments) -> dict[str, Any]:
    """Return the resources that a template creates, without those whose condition is false."""
    found: dict[str, Any] = original(*bound.args, **bound.kwargs)
    if not found:
        return found
    conditions = engine._evaluate_conditions(bound.arguments["template"], bound.arguments["params"])
    resources = found["Resources"]
    return {
        "Resources": {
            name: resource
            for name, resource in resources.items()
            if conditions.get(resource.get("Condition"), True)
        }
    }
