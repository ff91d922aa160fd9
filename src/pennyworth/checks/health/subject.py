"""What is looked at: a deployed stack, with what a run was told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from pennyworth.aws.account import Account, parameters
from pennyworth.checks.health.limits import Limits
from pennyworth.iam.policy.documents import DEPLOY_ROLE, MANAGED_POLICIES

_TLS_PORT = 443


@dataclass(frozen=True)
class Subject:
    """A stack, and how it is reached."""

    account: Account
    stack: str
    """Its name."""
    limits: Limits = field(default_factory=Limits)
    key: str | None = None
    """An API key of the endpoint; None where only what needs none is tried."""
    repository: str = ""
    """The only repository that the deploy role may trust, OWNER/NAME; empty where that is not known."""
    role: str = DEPLOY_ROLE
    """The deploy role, by name or ARN."""
    policy: str = MANAGED_POLICIES["deployment"]
    """Its policy with the PassRole statement, by name or ARN."""
    emulator: str = ""
    """The URL of an AWS emulator, where every domain is at one address and without TLS; empty for AWS."""

    @cached_property
    def described(self) -> Mapping[str, Any] | None:
        """What CloudFormation says of the stack; None where there is none."""
        return self.account.stack(self.stack)

    @property
    def status(self) -> str:
        """The stack's state; empty where there is no stack."""
        return str((self.described or {}).get("StackStatus", ""))

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        listed = (self.described or {}).get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in listed}

    @property
    def parameters(self) -> dict[str, str]:
        """The stack's parameters by name; **** for those that CloudFormation hides."""
        return parameters(self.described)

    @property
    def begun(self) -> datetime | None:
        """When the operation that is at work on the stack, or was the last, began."""
        described = self.described or {}
        return described.get("LastUpdatedTime") or described.get("CreationTime")

    @property
    def base_url(self) -> str:
        """Where its users call it; empty where it is nowhere."""
        return self.outputs.get("CustomDomainUrl") or self.outputs.get("ApiUrl", "")

    @property
    def domain(self) -> str:
        """The custom domain's name; empty where there is none."""
        return urlsplit(self.outputs.get("CustomDomainUrl", "")).hostname or ""

    @property
    def tls(self) -> tuple[str, int] | None:
        """Where the custom domain's certificate is shown; None where TLS is spoken nowhere."""
        return (self.domain, _TLS_PORT) if self.domain and not self.emulator else None

    def resources(self, kind: str) -> list[str]:
        """The physical ids of the stack's resources of a type, such as AWS::CloudWatch::Alarm."""
        pages = self.account.client("cloudformation").get_paginator("list_stack_resources")
        return [
            resource["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.stack)
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == kind
            and resource.get("PhysicalResourceId")
            and resource["ResourceStatus"] not in {"CREATE_FAILED", "DELETE_COMPLETE"}
        ]

    def hidden(self) -> list[str]:
        """What must stand nowhere that strangers read: GitHub masks secrets in logs, and nowhere else."""
        api = urlsplit(self.outputs.get("ApiUrl", "")).hostname or ""
        found = [
            self.stack,
            self.account.region,
            self.account.number,
            self.key or "",
            self.domain,
            api.partition(".")[0],
            *(self.parameters.get(name, "") for name in ("BaseDomain", "Route53HostedZoneId")),
        ]
        return [value for value in found if value]
