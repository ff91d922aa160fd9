"""Extends MiniStack's CloudFormation with IAM identity providers, the permissions boundaries of roles, and web ACLs.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-oidcprovider.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-wafv2-webaclassociation.html
"""

from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.services import iam, waf
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]


def resource_types() -> dict[str, dict[str, Any]]:
    """The functions that create, update and delete each type, in the format of MiniStack's table."""
    role = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]
    return {
        "AWS::IAM::OIDCProvider": {
            "create": _provider_created,
            "update": _provider_updated,
            "delete": _provider_deleted,
        },
        "AWS::IAM::Role": {
            **role,
            "create": _bounded(role["create"], properties=1),
            "update": _bounded(role["update"], properties=2),
        },
        "AWS::WAFv2::WebACLAssociation": {"create": _acl_associated, "delete": _acl_dissociated},
    }


def _provider_created(_name: str, properties: Properties, _stack: str) -> Made:
    url = properties["Url"]
    arn = f"arn:aws:iam::{responses.get_account_id()}:oidc-provider/{url.partition('://')[2].rstrip('/')}"
    if arn in iam._oidc_providers:
        raise ValueError(f"Provider with url {url} already exists.")
    iam._oidc_providers[arn] = {"Url": url, "Arn": arn, "CreateDate": iam._now(), **_settings(properties)}
    return arn, {"Arn": arn}


def _provider_updated(arn: str, _old: Properties, properties: Properties, _stack: str) -> Made:
    iam._oidc_providers[arn].update(_settings(properties))
    return arn, {"Arn": arn}


def _provider_deleted(arn: str, _properties: Properties) -> None:
    iam._oidc_providers.pop(arn, None)


def _settings(properties: Properties) -> Properties:
    given = {"ClientIDList": "ClientIdList", "ThumbprintList": "ThumbprintList", "Tags": "Tags"}
    return {name: properties.get(source, []) for name, source in given.items()}


def _acl_associated(_name: str, properties: Properties, _stack: str) -> Made:
    status, _, body = waf._associate_web_acl(properties)
    if status >= 400:
        raise ValueError(f"AWS::WAFv2::WebACLAssociation: {body!r}")
    return f"{properties['WebACLArn']}|{properties['ResourceArn']}", {}


def _acl_dissociated(_association: str, properties: Properties) -> None:
    waf._disassociate_web_acl(properties)


def _bounded(original: Callable[..., Made], *, properties: int) -> Callable[..., Made]:
    """Set the permissions boundary from a role's properties, which are the nth argument."""

    def made(*args: Any) -> Made:
        result = original(*args)
        iam._roles[result[0]]["PermissionsBoundary"] = args[properties].get("PermissionsBoundary", "")
        return result

    return made
