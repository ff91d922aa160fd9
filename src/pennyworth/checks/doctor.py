"""Checks the AWS and GitHub setup. Each finding says how to fix the problem. Changes nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dns.exception
import dns.resolver

from pennyworth.aws import certificates
from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.errors import AWS_FAILURES, get_or_none
from pennyworth.aws.github_oidc import AUDIENCE, find_host
from pennyworth.aws.names import Names
from pennyworth.aws.packages import find_package_bucket, name_package_bucket
from pennyworth.aws.snapshot import read_parameters
from pennyworth.aws.stack import Stack, check_deployable
from pennyworth.aws.stack_states import Then
from pennyworth.checks.finding import Finding, Findings, ok, unknown, warning, wrong
from pennyworth.checks.name_check import check_names
from pennyworth.github import gh_cli
from pennyworth.github.deploying_workflows import find_deploying_workflows
from pennyworth.host.errors import OperationFailed
from pennyworth.iam.bootstrap_template.template import FIRST, read_template
from pennyworth.iam.drift import find_drifts
from pennyworth.iam.endpoints import pick_endpoint
from pennyworth.iam.settings import Settings, WrongSetting

AGAIN = "run `pennyworth bootstrap` again"

SECRETS = ("AWS_DEPLOY_ROLE_ARN", "AWS_REGION", "STACK_NAME", "LITELLM_API_KEYS")
VIEW_SECRETS = ("AWS_VIEW_ROLE_ARN",)
DOMAIN_SECRETS = ("BASE_DOMAIN", "ROUTE53_HOSTED_ZONE_ID", "ACM_CERTIFICATE_ARN")

_DNS_SECONDS = 5.0
_DNS_PORT = 53
_DAYS_LEFT = 30
_FEW_AT_A_TIME = 10
_STREAM_SECONDS = 900
_TIMEOUT_QUOTA = "Maximum integration timeout in milliseconds"


@dataclass(frozen=True, slots=True)
class SetUp:
    """The setup to check."""

    account: Account
    settings: Settings
    dns: str = ""
    """The DNS server to ask, HOST or HOST:PORT. Empty: this machine's."""

    @property
    def names(self) -> Names:
        """The names of what `pennyworth bootstrap` made."""
        return self.settings.names

    @property
    def again(self) -> str:
        """What to do to put the setup right."""
        name = self.settings["StackName"]
        return f"run `pennyworth bootstrap --stack-name {name}` again" if self.names.suffix else AGAIN


def examine(set_up: SetUp) -> Findings:
    """Run every check and yield its findings."""
    for name, check in CHECKS.items():
        try:
            for finding in check(set_up):
                yield replace(finding, check=name)
        except (*AWS_FAILURES, gh_cli.GitHubFailed) as failure:
            yield replace(unknown(str(failure)), check=name)


def _check_region(set_up: SetUp) -> Findings:
    if set_up.settings.region == set_up.account.region:
        yield ok(f"{set_up.account.region}, account {set_up.account.id}")
    else:
        yield wrong(
            f"the deploy role is for {set_up.settings.region}, but this checks {set_up.account.region}",
            f"use --region {set_up.settings.region}, or {set_up.again}",
        )


def _check_set_up(set_up: SetUp) -> Findings:
    name = set_up.names.bootstrap_stack
    stack = set_up.account.describe_stack(name)
    if stack is None:
        yield wrong(f"there is no stack {name} in {set_up.account.region}", "run `pennyworth bootstrap`")
        return
    if stack.state.then is not Then.DEPLOY or not stack.state.deployed:
        yield wrong(f"the stack {name} is in {stack.status}", set_up.again)
        return
    if _is_outdated(set_up):
        yield warning(
            f"the stack {name} was created by another version of policies/bootstrap.yaml", set_up.again
        )
    else:
        yield ok(f"the stack {name} is in {stack.status}")


def _is_outdated(set_up: SetUp) -> bool:
    client = set_up.account.client("cloudformation")
    original = client.get_template(StackName=set_up.names.bootstrap_stack, TemplateStage="Original")[
        "TemplateBody"
    ]
    return bool(original != read_template(set_up.settings["Issuer"]))


def _check_provider(set_up: SetUp) -> Findings:
    client_ids = set_up.account.fetch_client_ids()
    if client_ids is None:
        yield wrong("the account has no OIDC identity provider for GitHub", "run `pennyworth bootstrap`")
    elif AUDIENCE not in client_ids:
        add = (
            "aws iam add-client-id-to-open-id-connect-provider"
            f" --open-id-connect-provider-arn {set_up.account.provider} --client-id {AUDIENCE}"
        )
        yield wrong(
            f"the identity provider does not accept tokens for {AUDIENCE}, only for {', '.join(client_ids)}",
            add,
        )
    else:
        yield ok(f"accepts tokens for {AUDIENCE}")


def _check_rights(set_up: SetUp) -> Findings:
    found = list(find_drifts(set_up.account, set_up.settings))
    said = warning if _is_outdated(set_up) else wrong
    for drift in found:
        yield said(f"{drift.what}: {drift.detail}", f"{set_up.again}, which fixes it")
    if not found:
        subjects = "\n".join(set_up.settings.list_subjects())
        yield ok(
            f"roles, policies and permissions boundaries are unchanged. These GitHub runs may deploy:\n{subjects}"
        )
        if set_up.settings.views:
            yield ok("the view role trusts the same runs, and the repository's own pull requests")
        else:
            yield ok(
                "no view role, so no previews and no health checks (`pennyworth bootstrap --view-role yes` creates it)"
            )


def _check_trust(set_up: SetUp) -> Findings:
    """Compare the repository and the workflow that the deploy role trusts with what GitHub and this checkout say."""
    settings = set_up.settings
    repository = settings["Repository"]
    found = gh_cli.find_repository(repository) if gh_cli.is_logged_in() else None
    trusted = (settings["RepositoryOwnerId"], settings["RepositoryId"])
    if found is None or not found.id:
        yield unknown(f"gh can't look up {repository}. Log in with `gh auth login` to compare its IDs")
    elif not all(trusted):
        yield warning(
            f"the roles trust {repository} by its name only. Somebody who gets that name later could deploy",
            set_up.again,
        )
    elif trusted != (found.owner_id, found.id):
        yield wrong(
            f"the roles trust the owner and repository {' and '.join(trusted)}, but {repository} has"
            f" {found.owner_id} and {found.id} on GitHub",
            f"{set_up.again} with --repository {repository}, if it is still yours",
        )
    elif found.name != repository:
        yield wrong(f"the roles trust {repository}, which is {found.name} on GitHub", set_up.again)
    else:
        yield ok(f"{repository} has the IDs that the roles trust")
    workflows = settings.list_workflows()
    here = find_deploying_workflows(repository, settings.branches, Path.cwd())
    if not workflows:
        yield warning(
            "every workflow of the trusted branches may deploy, not only the one that does",
            f"{set_up.again} in a checkout of {repository}, or with --workflow",
        )
    elif here and not set(here) <= set(workflows):
        yield wrong(
            f"this checkout deploys with {', '.join(here)}, but the deploy role trusts {', '.join(workflows)}",
            set_up.again,
        )
    else:
        yield ok(f"only jobs of {', '.join(workflows)} may deploy")


def _check_certificate(set_up: SetUp) -> Findings:
    domain = set_up.settings.domain
    if not domain:
        yield ok("not needed without a domain")
        return
    found = certificates.find_certificate(set_up.account, domain)
    if found is None:
        yield wrong(f"there is no certificate for {domain} in {set_up.account.region}", set_up.again)
        return
    arn = found["CertificateArn"]
    if found["Status"] != "ISSUED":
        yield wrong(
            f"{arn} is {found['Status']}", f"{set_up.again}: it writes the validation record and waits"
        )
        return
    days = int((certificates.read_expiry(found) - time.time()) / 86400)
    unproven = certificates.find_missing_records(set_up.account, domain, set_up.settings["HostedZoneId"], arn)
    if days < 0:
        yield wrong(f"{arn} expired {-days} days ago", "request or import a new one")
    elif found.get("Type") == "AMAZON_ISSUED" and unproven:
        names = ", ".join(record["Name"] for record in unproven)
        yield warning(f"ACM can't renew {arn}: the hosted zone lacks the record {names}", set_up.again)
    elif days < _DAYS_LEFT:
        yield warning(f"{arn} expires in {days} days", "check in the ACM console why it was not renewed")
    else:
        yield ok(f"{arn} is issued and valid for {days} more days")


def _check_zone(set_up: SetUp) -> Findings:
    domain, zone = set_up.settings["BaseDomain"], set_up.settings["HostedZoneId"]
    if not domain:
        yield ok("not needed without a domain")
        return
    found = get_or_none(set_up.account.client("route53").get_hosted_zone, Id=zone)
    if found is None:
        yield wrong(f"there is no hosted zone {zone}", f"{set_up.again} with --hosted-zone-id")
        return
    name = found["HostedZone"]["Name"].rstrip(".")
    if domain != name and not domain.endswith(f".{name}"):
        yield wrong(
            f"the hosted zone {zone} is for {name}, which does not contain {domain}",
            f"{set_up.again} with --hosted-zone-id",
        )
        return
    if found["HostedZone"]["Config"].get("PrivateZone"):
        yield wrong(
            f"{zone} is a private hosted zone", f"{set_up.again} with the --hosted-zone-id of a public one"
        )
        return
    own = {server.rstrip(".").lower() for server in found.get("DelegationSet", {}).get("NameServers", [])}
    yield _check_delegation(name, own, set_up.dns)


def _check_delegation(name: str, own: set[str], server: str) -> Finding:
    fix = f"set these name servers for {name} at your registrar: {', '.join(sorted(own))}"
    try:
        asked = _ask_name_servers(name, server)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return wrong(f"DNS has no name servers for {name}", fix)
    except (dns.exception.DNSException, OSError) as failure:
        return unknown(
            f"the hosted zone is for {name}, but DNS could not be asked for its name servers: {failure}"
        )
    if not asked & own:
        return wrong(f"DNS has other name servers for {name}: {', '.join(sorted(asked))}", fix)
    if asked != own:
        return warning(
            f"the name servers for {name} in DNS differ from the hosted zone's: {', '.join(sorted(asked))}",
            fix,
        )
    return ok(f"DNS delegates {name} to this hosted zone")


def _ask_name_servers(name: str, server: str) -> set[str]:
    resolver = dns.resolver.Resolver(configure=not server)
    if server:
        host, _, port = server.partition(":")
        resolver.nameservers, resolver.port = [host], int(port or _DNS_PORT)
    answer = resolver.resolve(f"{name}.", "NS", lifetime=_DNS_SECONDS)
    return {str(record.target).rstrip(".").lower() for record in answer}


def _check_artifacts(set_up: SetUp) -> Findings:
    stack = set_up.settings["StackName"]
    bucket = find_package_bucket(set_up.account, stack)
    if bucket is None:
        name = name_package_bucket(set_up.account.id, set_up.account.region, stack)
        yield wrong(f"this account has no bucket {name}", set_up.again)
        return
    yield ok(bucket)


def _check_endpoint(set_up: SetUp) -> Findings:
    name = set_up.settings["StackName"]
    region = set_up.settings.region
    stack = set_up.account.describe_stack(name, region)
    if stack is None:
        yield warning(f"the stack {name} does not exist yet", "push to the branch that deploys")
        return
    if stack.state.then is Then.RECREATE:
        yield warning(
            f"the first deployment of {name} failed",
            "deploy again: the next run deletes the failed stack and retries",
        )
        return
    try:
        check_deployable(stack)
    except OperationFailed as failure:
        yield wrong(f"{name}: {failure.title}", failure.message)
        return
    yield ok(f"the stack {name} is in {stack.status}")
    if set_up.settings["FirstDeployment"] == "yes":
        yield warning(
            f"the role still has {set_up.names.name_policy(FIRST)}",
            f"{set_up.again} with --first-deployment no",
        )
    boundary = set_up.account.build_policy_arn(set_up.names.name_policy("stack-boundary"))
    for logical_id, role in Stack(name, region).list_physical_ids("AWS::IAM::Role").items():
        found = get_or_none(set_up.account.client("iam").get_role, RoleName=role)
        bounded = (found or {"Role": {}})["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        if found is None:
            yield wrong(
                f"the role {role} ({logical_id}) was deleted", "deploy once without it, then once with it"
            )
        elif bounded != boundary:
            yield wrong(
                f"the role {role} lacks the permissions boundary {boundary.rpartition('/')[2]}",
                "deploy again",
            )


def _check_names(set_up: SetUp) -> Findings:
    conflicts = check_names(set_up.account, set_up.settings)
    for conflict in conflicts:
        yield wrong(str(conflict), conflict.remedy)
    if not conflicts:
        yield ok("nothing is in the way of what a deployment creates")


def _check_concurrency(set_up: SetUp) -> Findings:
    limits = set_up.account.client("lambda").get_account_settings()["AccountLimit"]
    total, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    quotas = "request more: Service Quotas → AWS Lambda → Concurrent executions"
    if free <= _FEW_AT_A_TIME:
        yield warning(f"Lambda can run only {free} requests at a time in this account", quotas)
    else:
        yield ok(f"Lambda can run {free} requests at a time (account limit: {total})")


def _check_timeout(set_up: SetUp) -> Findings:
    pages = set_up.account.client("service-quotas").get_paginator("list_service_quotas")
    for page in pages.paginate(ServiceCode="apigateway"):
        for quota in page["Quotas"]:
            if quota["QuotaName"] == _TIMEOUT_QUOTA:
                others = quota["Value"] / 1000
                yield ok(f"streamed answers may take {_STREAM_SECONDS} s, other answers {others:.0f} s")
                return
    yield unknown(f"Service Quotas has no quota named {_TIMEOUT_QUOTA}")


def _check_secrets(set_up: SetUp) -> Findings:
    repository, place = set_up.settings["Repository"], set_up.settings.secrets_environment
    if not gh_cli.is_logged_in():
        yield unknown(
            "can't check GitHub secrets: gh is not logged in",
            f"run `gh auth login`, or check yourself: gh secret list -R {repository}"
            + (f" --env {place}" if place else ""),
        )
        return
    wanted = [
        *SECRETS,
        *(DOMAIN_SECRETS if set_up.settings.domain else ()),
        *(VIEW_SECRETS if set_up.settings.views else ()),
    ]
    present = gh_cli.list_secrets(repository, place)
    missing = [name for name in wanted if name not in {*present, *gh_cli.list_variables(repository, place)}]
    if missing:
        yield wrong(
            f"{repository} lacks {', '.join(missing)}",
            f"{set_up.again} (--new-api-key creates LITELLM_API_KEYS)",
        )
    else:
        yield ok(f"{repository} has all {len(wanted)} secrets, or a variable instead")
    if "PROVIDER_CREDENTIALS" not in present:
        yield warning(
            f"{repository} has no secret PROVIDER_CREDENTIALS, so only models without an API key can answer",
            gh_cli.make_command(repository, "PROVIDER_CREDENTIALS", None, place),
        )


def _check_alerts(set_up: SetUp) -> Findings:
    address = set_up.settings["AlertEmail"]
    if not address:
        yield ok(f"off (to turn them on, {set_up.again} with --alert-email)")
        return
    account = set_up.account
    for region in {account.region: None, account.home: None}:
        stack = account.describe_stack(set_up.names.bootstrap_stack, region)
        topic = stack.outputs.get("AlertTopicArn") if stack else None
        if topic is None:
            yield wrong(f"alerts are not set up in {region}, where IAM reports its changes", set_up.again)
            continue
        listed = account.client("sns", region).list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        if any(one["SubscriptionArn"].startswith("arn:") for one in listed if one["Endpoint"] == address):
            yield ok(f"{address} receives the alerts of {region}")
        else:
            yield warning(
                f"{address} has not confirmed the alerts of {region} yet",
                "open the link in the email from AWS",
            )
        if not _is_recorded(account.client("cloudtrail", region)):
            yield wrong(
                f"no CloudTrail trail logs {region}, so alerts cover only failed deployments",
                "create a trail for all regions in the CloudTrail console",
            )


def _is_recorded(cloudtrail: Any) -> bool:
    """Return whether a CloudTrail trail is logging in the client's region."""
    trails = cloudtrail.describe_trails(includeShadowTrails=True)["trailList"]
    return any(cloudtrail.get_trail_status(Name=trail["TrailARN"])["IsLogging"] for trail in trails)


CHECKS: dict[str, Callable[[SetUp], Findings]] = {
    "region": _check_region,
    "set-up": _check_set_up,
    "identity provider": _check_provider,
    "rights": _check_rights,
    "trust": _check_trust,
    "certificate": _check_certificate,
    "hosted zone": _check_zone,
    "artifact bucket": _check_artifacts,
    "endpoint": _check_endpoint,
    "names": _check_names,
    "concurrency": _check_concurrency,
    "timeout": _check_timeout,
    "secrets": _check_secrets,
    "alerts": _check_alerts,
}
"""The checks by name, in the order in which they run."""


def get_set_up(account: Account, stack: str = "", dns: str = "") -> SetUp:
    """Read what the account was set up for.

    Args:
        account: the account, in the region to check.
        stack: the name of the endpoint's stack. Empty: the region's only one.
        dns: the DNS server to ask, HOST or HOST:PORT. Empty: this machine's.
    Raises:
        Unprepared: the endpoint was not set up by `pennyworth bootstrap`, or it is not clear which one is meant.
    """
    endpoint = pick_endpoint(account, stack)
    name = (endpoint.names if endpoint else Names()).bootstrap_stack
    found = read_parameters(account.describe_stack(name))
    if not found or (stack and found["StackName"] != stack):
        what = f"endpoint {stack}" if stack else f"stack {name}"
        raise Unprepared(
            f"There is no {what} in {account.region}. Run `pennyworth bootstrap` to set up the account, or use --region"
            " or --stack-name."
        )
    try:
        settings = Settings.of(found)
    except WrongSetting as wrong:
        raise Unprepared(
            f"The stack {name} was made by another version of pennyworth: {wrong}. {AGAIN.capitalize()}, with its"
            " options."
        ) from wrong
    account.issuer = settings["Issuer"]
    gh_cli.use_host(find_host(account.issuer))
    return SetUp(account, settings, dns)
