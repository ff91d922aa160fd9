"""Removes what `pennyworth bootstrap` created, and nothing else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pennyworth.aws import certificates
from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.github_oidc import ISSUER, find_host
from pennyworth.aws.names import Names
from pennyworth.aws.packages import empty_bucket, find_package_bucket
from pennyworth.aws.snapshot import read_parameters
from pennyworth.github import gh_cli
from pennyworth.host.progress import say, step
from pennyworth.iam.endpoints import pick_endpoint
from pennyworth.iam.settings import find_environments
from pennyworth.setup.stacks import delete_stack

SECRETS = {
    "AWS_DEPLOY_ROLE_ARN",
    "AWS_VIEW_ROLE_ARN",
    "AWS_REGION",
    "STACK_NAME",
    "BASE_DOMAIN",
    "ROUTE53_HOSTED_ZONE_ID",
    "ACM_CERTIFICATE_ARN",
}


@dataclass(frozen=True, slots=True)
class SetUp:
    """What `pennyworth bootstrap` created in an account and in a repository."""

    account: Account
    settings: Mapping[str, str]
    """The parameters of the bootstrap stack."""
    regions: Sequence[str]
    """The regions with its bootstrap stack."""
    provider: str
    """The ARN of the identity provider, if the stack created it; else empty."""
    others: Sequence[str]
    """Other roles that trust it."""
    certificate: str
    """The ARN of the domain's certificate; empty if there is none."""
    requested: bool
    """Whether bootstrap requested that certificate."""
    bucket: str
    """The endpoint's bucket for packages; empty if there is none."""
    secrets: Sequence[str]
    """The repository's secrets that bootstrap sets, as far as gh can list them."""

    @property
    def endpoint(self) -> str:
        """The name of the endpoint's stack."""
        return self.settings["StackName"]

    @property
    def names(self) -> Names:
        """The names of the roles, policies and the bootstrap stack."""
        return Names(self.settings.get("NameSuffix", ""))

    @property
    def place(self) -> str:
        """The GitHub environment with the endpoint's secrets; empty for the repository itself."""
        environments = find_environments(self.settings.get("Subjects", "").split(","))
        return environments[0] if self.names.suffix and environments else ""

    @property
    def repository(self) -> str:
        """The repository that may deploy."""
        return self.settings["Repository"]

    def describe(self) -> list[str]:
        """Say what `remove` deletes, one thing a line."""
        return [
            *(f"stack {self.names.bootstrap_stack} in {region}" for region in self.regions),
            *([f"identity provider {self.provider}"] if self.provider and not self.others else []),
            *([f"bucket {self.bucket}, with the packages of all deployments"] if self.bucket else []),
            *([f"certificate {self.certificate}"] if self.requested else []),
            *([f"secrets of {self.repository}: {', '.join(self.secrets)}"] if self.secrets else []),
        ]

    def remove(self) -> list[str]:
        """Delete it.

        Returns:
            what remains, and why.
        Raises:
            Unprepared: something could not be deleted.
        """
        account = self.account
        remains = []
        if self.bucket:
            with step(f"emptying the bucket {self.bucket}"):
                empty_bucket(account, self.bucket)
        for region in self.regions:
            delete_stack(account, self.names.bootstrap_stack, region)
        if self.provider and not self.others:
            with (
                step("deleting the identity provider"),
                suppress(account.client("iam").exceptions.NoSuchEntityException),
            ):
                account.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=self.provider)
        elif self.provider:
            remains.append(
                f"the identity provider {self.provider}, which other roles also trust: {', '.join(self.others)}"
            )
        elif account.fetch_client_ids() is not None:
            remains.append(f"the identity provider {account.provider}, which existed before")
        base, zone = self.settings.get("BaseDomain", ""), self.settings.get("HostedZoneId", "")
        if self.certificate and not self.requested:
            remains.append(f"the certificate {self.certificate}, which existed before")
        elif self.certificate and not certificates.delete_certificate(
            account, f"api.{base}", zone, self.certificate
        ):
            remains.append(f"the certificate {self.certificate}, which is still in use")
        for name in self.secrets:
            gh_cli.delete_secret(self.repository, name, self.place)
        if not gh_cli.is_logged_in():
            remains += [
                f"the repository's secret {name}: gh secret delete {name} --repo {self.repository}"
                + (f" --env {self.place}" if self.place else "")
                for name in sorted(SECRETS)
            ]
        if account.describe_stack("aws-sam-cli-managed-default") is not None:
            remains.append(
                "the stack aws-sam-cli-managed-default with sam's package bucket, which other projects may use"
            )
        return remains


def find_set_up(account: Account, stack: str = "") -> SetUp | None:
    """Find what `pennyworth bootstrap` created for an endpoint; None if there is no such thing in the account's region.

    Args:
        account: the account.
        stack: the name of the endpoint's stack. Empty: the region's only one.
    Raises:
        Unprepared: the region has several, and none was named.
    """
    endpoint = pick_endpoint(account, stack)
    names = endpoint.names if endpoint else Names()
    settings = read_parameters(account.describe_stack(names.bootstrap_stack))
    if not settings or settings.get("Part") == "alerts" or (stack and settings["StackName"] != stack):
        return None
    account.issuer = settings.get("Issuer", ISSUER)
    gh_cli.use_host(find_host(account.issuer))
    base = settings.get("BaseDomain", "")
    found = certificates.find_certificate(account, f"api.{base}") if base else None
    certificate = found["CertificateArn"] if found else ""
    regions = [
        region
        for region in {account.region: None, account.home: None}
        if region == account.region
        or read_parameters(account.describe_stack(names.bootstrap_stack, region)).get("Part") == "alerts"
    ]
    provider = account.provider if account.makes_provider(names.bootstrap_stack) else ""
    set_up = SetUp(
        account=account,
        settings=settings,
        regions=regions,
        provider=provider,
        others=list(_list_other_roles(account, names)) if provider else [],
        certificate=certificate,
        requested=bool(certificate) and certificates.is_ours(account, certificate),
        bucket=find_package_bucket(account, settings["StackName"]) or "",
        secrets=[],
    )
    if not gh_cli.is_logged_in():
        return set_up
    present = gh_cli.list_secrets(set_up.repository, set_up.place)
    return replace(set_up, secrets=sorted(SECRETS & present.keys()))


def take_back(account: Account, stack: str, confirmed: Callable[[str], bool]) -> list[str]:
    """Remove the setup of an endpoint.

    Args:
        account: the account, in the region that was set up.
        stack: the name of the endpoint's stack. Empty: the region's only one.
        confirmed: shows the user what will be deleted, and asks for confirmation.
    Returns:
        what remains, and why.
    Raises:
        Unprepared: the endpoint still exists, the user declined, or something could not be deleted.
    """
    found = find_set_up(account, stack)
    if found is None:
        what = f"endpoint {stack}" if stack else f"stack {Names().bootstrap_stack}"
        raise Unprepared(f"There is no {what} in {account.region}. Check --region and --stack-name.")
    if account.describe_stack(found.endpoint) is not None:
        raise Unprepared(
            f"The stack {found.endpoint} still exists, and its roles use the permissions boundary to be deleted. Delete"
            f" it first: pennyworth remove --stack-name {found.endpoint} --region {account.region}. With --all, that"
            " also removes the setup"
        )
    if not confirmed("\n".join(f"- {line}" for line in found.describe())):
        raise Unprepared("Nothing was deleted.")
    return found.remove()


def _list_other_roles(account: Account, names: Names) -> Iterator[str]:
    """Yield the roles that trust GitHub's identity provider, except an endpoint's own."""
    own = {names.deploy_role, names.view_role}
    for page in account.client("iam").get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            document: dict[str, Any] = role["AssumeRolePolicyDocument"]
            if role["RoleName"] not in own and account.provider in str(document):
                yield role["RoleName"]


def tell(remains: list[str]) -> None:
    """Print that the setup was removed, and what remains."""
    say("The setup was removed." if not remains else "The setup was removed. What remains:")
    for line in remains:
        say(f"  {line}")
