"""The endpoint to check: a deployed stack and the settings of the check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from urllib.parse import urlsplit

from pennyworth.aws.account import Account
from pennyworth.aws.names import Names, find_names
from pennyworth.aws.snapshot import Snapshot, read_parameters
from pennyworth.aws.stack import list_physical_ids
from pennyworth.checks.health.limits import Limits

_TLS_PORT = 443


@dataclass(frozen=True)
class Subject:
    """A stack, and how to reach its endpoint."""

    account: Account
    stack: str
    """The stack's name."""
    limits: Limits = field(default_factory=Limits)
    key: str | None = None
    """An API key of the endpoint. None: tests that need a key are skipped."""
    repository: str = ""
    """The only repository that the deploy role may trust, OWNER/NAME. Empty: not checked."""
    given_role: str = ""
    """The deploy role, by name or ARN. Empty: the endpoint's."""
    given_policy: str = ""
    """Its policy with the PassRole statement, by name or ARN. Empty: the endpoint's."""
    emulator: str = ""
    """The URL of an AWS emulator, which serves every domain at one address without TLS. Empty: AWS."""

    @cached_property
    def names(self) -> Names:
        """The names of the endpoint's roles, policies and bootstrap stack."""
        return Names.of_role(self.given_role) or find_names(self.account, self.stack)

    @property
    def role(self) -> str:
        """The deploy role, by name or ARN."""
        return self.given_role or self.names.deploy_role

    @property
    def policy(self) -> str:
        """Its policy with the PassRole statement, by name or ARN."""
        return self.given_policy or self.names.name_policy("deployment")

    @cached_property
    def described(self) -> Snapshot | None:
        """CloudFormation's description of the stack; None if it does not exist."""
        return self.account.describe_stack(self.stack)

    @property
    def status(self) -> str:
        """The stack's state; empty if it does not exist."""
        return self.described.status if self.described else ""

    @property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs by name."""
        return self.described.outputs if self.described else {}

    @property
    def parameters(self) -> Mapping[str, str]:
        """The stack's parameters by name; **** for hidden (NoEcho) ones."""
        return read_parameters(self.described)

    @property
    def begun(self) -> datetime | None:
        """When the current or last operation on the stack began."""
        return self.described.begun if self.described else None

    @property
    def base_url(self) -> str:
        """The base URL that users call; empty if there is none."""
        return self.outputs.get("CustomDomainUrl") or self.outputs.get("ApiUrl", "")

    @property
    def domain(self) -> str:
        """The custom domain's name; empty if there is none."""
        return urlsplit(self.outputs.get("CustomDomainUrl", "")).hostname or ""

    @property
    def tls(self) -> tuple[str, int] | None:
        """The host and port that serve the custom domain's certificate; None without TLS."""
        return (self.domain, _TLS_PORT) if self.domain and not self.emulator else None

    def list_resources(self, kind: str) -> list[str]:
        """Return the physical IDs of the stack's resources of a type, such as AWS::CloudWatch::Alarm."""
        cloudformation = self.account.client("cloudformation")
        return list(list_physical_ids(cloudformation, self.stack, kind).values())

    def hidden(self) -> list[str]:
        """Return values to keep out of public places. GitHub masks secrets only in logs."""
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
