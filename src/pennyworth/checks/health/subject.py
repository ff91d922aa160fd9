"""What is looked at: a deployed stack, with what a run was told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from urllib.parse import urlsplit

from pennyworth.aws.account import Account
from pennyworth.aws.snapshot import Snapshot, read_parameters
from pennyworth.aws.stack import list_physical_ids
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
    def described(self) -> Snapshot | None:
        """What CloudFormation says of the stack; None where there is none."""
        return self.account.describe_stack(self.stack)

    @property
    def status(self) -> str:
        """The stack's state; empty where there is no stack."""
        return self.described.status if self.described else ""

    @property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs by name."""
        return self.described.outputs if self.described else {}

    @property
    def parameters(self) -> Mapping[str, str]:
        """The stack's parameters by name; **** for those that CloudFormation hides."""
        return read_parameters(self.described)

    @property
    def begun(self) -> datetime | None:
        """When the operation that is at work on the stack, or was the last, began."""
        return self.described.begun if self.described else None

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

    def list_resources(self, kind: str) -> list[str]:
        """The physical ids of the stack's resources of a type, such as AWS::CloudWatch::Alarm."""
        cloudformation = self.account.client("cloudformation")
        return list(list_physical_ids(cloudformation, self.stack, kind).values())

    def hidden(self) -> list[str]:
        """What must stand nowhere that strangers read: GitHub masks secrets in logs, and nowhere else."""
        api = urlsplit(self.outputs.get("ApiUrl", "")).hostname or ""
        found = [
            self.stack,
            self.account.region,
            self.account.id,
            self.key or "",
            self.domain,
            api.partition(".")[0],
            *(self.parameters.get(name, "") for name in ("BaseDomain", "Route53HostedZoneId")),
        ]
        return [value for value in found if value]
