"""A minimal CodeDeploy, which MiniStack lacks: the resources of a gradual rollout, and its effect on an alias.

Callers do not move gradually here: the new version gets all of them at once or, if an alarm of the deployment
group is on, none of them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html
https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-groups-configure-advanced-options.html
"""

import secrets
from collections.abc import Callable
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]

_groups: Any = AccountRegionScopedDict()
"""Each stack's deployment group: its properties, by the stack's name."""


def resource_types() -> dict[str, dict[str, Any]]:
    """The functions that create, update and delete each type, in the format of MiniStack's table."""
    alias = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Alias"]
    return {
        "AWS::CodeDeploy::Application": {
            "create": _application_created,
            "update": lambda name, _old, _new, _stack: (name, {}),
            "delete": lambda _name, _properties: None,
        },
        "AWS::CodeDeploy::DeploymentGroup": {
            "create": _group_created,
            "update": lambda name, _old, properties, stack: (name, _kept(properties, stack)),
            "delete": lambda _name, properties: _forgotten(properties),
        },
        "AWS::Lambda::Alias": {**alias, "update": _rolled_out(alias["update"])},
    }


def _application_created(logical_id: str, properties: Properties, stack: str) -> Made:
    return properties.get("ApplicationName") or _name(stack, logical_id), {}


def _group_created(logical_id: str, properties: Properties, stack: str) -> Made:
    return properties.get("DeploymentGroupName") or _name(stack, logical_id), _kept(properties, stack)


def _name(stack: str, logical_id: str) -> str:
    return f"{stack}-{logical_id}-{secrets.token_hex(6).upper()}"


def _kept(properties: Properties, stack: str) -> Properties:
    for needed in ("ApplicationName", "ServiceRoleArn"):
        if not properties.get(needed):
            raise ValueError(f"Model validation failed (#: required key [{needed}] not found)")
    _groups[stack] = properties
    return {}


def _forgotten(properties: Properties) -> None:
    for stack in [name for name, kept in _groups.items() if kept == properties]:
        del _groups[stack]


def _rolled_out(original: Callable[..., Made]) -> Callable[..., Made]:
    """Move an alias to another version through the stack's deployment group, if it has one."""

    def updated(name: str, old: Properties, new: Properties, stack: str, *more: Any, **named: Any) -> Made:
        if old.get("FunctionVersion") != new.get("FunctionVersion") and (on := _alarms_on(stack)):
            raise ValueError(
                "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and"
                f" the affected deployments have been stopped. Activated alarms: <{', '.join(on)}>"
            )
        return original(name, old, new, stack, *more, **named)

    return updated


def _alarms_on(stack: str) -> list[str]:
    """Return the alarms that stop the stack's rollout."""
    configured = _groups.get(stack, {}).get("AlarmConfiguration") or {}
    names = [alarm["Name"] for alarm in configured.get("Alarms", [])]
    return [name for name in names if cloudwatch._alarms.get(name, {}).get("StateValue") == "ALARM"]
