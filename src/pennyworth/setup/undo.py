"""Removes what `pennyworth bootstrap` created, and nothing else."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from pennyworth.aws import certificates
from pennyworth.aws.account import STACK, Account, Unprepared
from pennyworth.aws.snapshot import read_parameters
from pennyworth.github import gh_cli
from pennyworth.host.progress import say, step
from pennyworth.iam.policy.documents import DEPLOY_ROLE, VIEW_ROLE
from pennyworth.setup.plan import delete_stack

SECRETS = (
    "AWS_DEPLOY_ROLE_ARN",
    "AWS_VIEW_ROLE_ARN",
    "AWS_REGION",
    "STACK_NAME",
    "BASE_DOMAIN",
    "ROUTE53_HOSTED_ZONE_ID",
    "ACM_CERTIFICATE_ARN",
)


def take_back(account: Account, confirmed: Callable[[str], bool]) -> list[str]:
    """Remove the setup.

    Args:
        account: the account, in the region that was set up.
        confirmed: shows the user what will be deleted, and asks for confirmation.
    Returns:
        what remains, and why.
    Raises:
        Unprepared: the endpoint still exists, the user declined, or something could not be deleted.
    """
    settings = read_parameters(account.describe_stack())
    if not settings:
        raise Unprepared(f"There is no stack {STACK} in {account.region}. Check --region.")
    endpoint = settings["StackName"]
    if account.describe_stack(endpoint) is not None:
        raise Unprepared(
            f"The stack {endpoint} still exists, and its roles use the permissions boundary to be deleted. Delete it"
            f" first: sam delete --stack-name {endpoint} --region {account.region}"
        )
    base, zone = settings.get("BaseDomain", ""), settings.get("HostedZoneId", "")
    domain = f"api.{base}"
    found = certificates.find_certificate(account, domain) if base else None
    requested = (
        found["CertificateArn"] if found and certificates.is_ours(account, found["CertificateArn"]) else ""
    )
    regions = [
        region
        for region in {account.region: None, account.home: None}
        if region == account.region
        or read_parameters(account.describe_stack(region=region)).get("Part") == "alerts"
    ]
    provider = account.provider if account.makes_provider() else ""
    others = list(_list_other_roles(account)) if provider else []
    repository = settings["Repository"]
    present = sorted(set(SECRETS) & set(gh_cli.list_secrets(repository))) if gh_cli.is_logged_in() else []
    goes = [
        *(f"stack {STACK} in {region}" for region in regions),
        *([f"identity provider {provider}"] if provider and not others else []),
        *([f"certificate {requested}"] if requested else []),
        *([f"secrets of {repository}: {', '.join(present)}"] if present else []),
    ]
    if not confirmed("\n".join(f"- {line}" for line in goes)):
        raise Unprepared("Nothing was deleted.")
    remains = []
    for region in regions:
        delete_stack(account, region)
    if provider and not others:
        with (
            step("deleting the identity provider"),
            suppress(account.client("iam").exceptions.NoSuchEntityException),
        ):
            account.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    elif provider:
        remains.append(f"the identity provider {provider}, which other roles also trust: {', '.join(others)}")
    elif account.fetch_client_ids() is not None:
        remains.append(f"the identity provider {account.provider}, which existed before")
    if requested and not certificates.delete_certificate(account, domain, zone, requested):
        remains.append(f"the certificate {requested}, which is still in use")
    elif found and not requested:
        remains.append(f"the certificate {found['CertificateArn']}, which existed before")
    for name in present:
        gh_cli.delete_secret(repository, name)
    if not gh_cli.is_logged_in():
        remains += [
            f"the repository's secret {name}: gh secret delete {name} --repo {repository}" for name in SECRETS
        ]
    bucket = account.describe_stack("aws-sam-cli-managed-default")
    if bucket is not None:
        remains.append(
            "the stack aws-sam-cli-managed-default with sam's package bucket, which other projects may use"
        )
    return remains


def _list_other_roles(account: Account) -> Iterator[str]:
    """Yield the roles that trust GitHub's identity provider, except ours."""
    for page in account.client("iam").get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            document: dict[str, Any] = role["AssumeRolePolicyDocument"]
            if role["RoleName"] not in {DEPLOY_ROLE, VIEW_ROLE} and account.provider in str(document):
                yield role["RoleName"]


def tell(remains: list[str]) -> None:
    """Print that the setup was removed, and what remains."""
    say("The setup was removed." if not remains else "The setup was removed. What remains:")
    for line in remains:
        say(f"  {line}")
