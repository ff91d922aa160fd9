"""What is wrong with a set-up, each finding with what fixes it. Nothing is changed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import dns.exception
import dns.resolver
from botocore.exceptions import ClientError

from pennyworth.aws import certificates
from pennyworth.aws.account import STACK, Account, Unprepared
from pennyworth.aws.errors import AWS_FAILURES, get_or_none
from pennyworth.aws.github_oidc import AUDIENCE
from pennyworth.aws.snapshot import read_parameters
from pennyworth.aws.stack import Stack, check_deployable
from pennyworth.checks.finding import Finding, Findings, ok, unknown, warning, wrong
from pennyworth.github import gh_cli
from pennyworth.host.errors import OperationFailed
from pennyworth.iam.bootstrap_template.template import FIRST, TEMPLATE
from pennyworth.iam.drift import find_drifts
from pennyworth.iam.policy.documents import DEPLOY_ROLE, MANAGED_POLICIES
from pennyworth.iam.settings import Settings

AGAIN = "run `pennyworth bootstrap` again"

SECRETS = ("AWS_DEPLOY_ROLE_ARN", "AWS_REGION", "STACK_NAME", "LITELLM_API_KEYS")
VIEW_SECRETS = ("AWS_VIEW_ROLE_ARN",)
DOMAIN_SECRETS = ("BASE_DOMAIN", "ROUTE53_HOSTED_ZONE_ID", "ACM_CERTIFICATE_ARN")

_DNS_SECONDS = 5.0
_DNS_PORT = 53
_DAYS_LEFT = 30
_FEW_AT_A_TIME = 10
_STREAM_SECONDS = 900
_ARTIFACTS = "aws-sam-cli-managed-default"
_TIMEOUT_QUOTA = "Maximum integration timeout in milliseconds"


@dataclass(frozen=True, slots=True)
class SetUp:
    """What is looked at."""

    account: Account
    settings: Settings
    dns: str = ""
    """The name server to ask, HOST or HOST:PORT; this machine's own by default."""


def examine(set_up: SetUp) -> Findings:
    """Every check's findings, as they come."""
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
            f"the role deploys to {set_up.settings.region}, this looks at {set_up.account.region}",
            f"say --region {set_up.settings.region}, or {AGAIN}",
        )


def _check_set_up(set_up: SetUp) -> Findings:
    stack = set_up.account.describe_stack()
    if stack is None:
        yield wrong(f"there is no stack {STACK} in {set_up.account.region}", "run `pennyworth bootstrap`")
        return
    status = stack.status
    if not status.endswith("_COMPLETE") or status in {"ROLLBACK_COMPLETE", "DELETE_COMPLETE"}:
        yield wrong(f"the stack {STACK} is in {status}", AGAIN)
        return
    if _is_outdated(set_up):
        yield warning(f"the stack {STACK} was made by another version of policies/bootstrap.yaml", AGAIN)
    else:
        yield ok(f"the stack {STACK} is in {status}")


def _is_outdated(set_up: SetUp) -> bool:
    client = set_up.account.client("cloudformation")
    original = client.get_template(StackName=STACK, TemplateStage="Original")["TemplateBody"]
    return bool(original != TEMPLATE.read_text())


def _check_provider(set_up: SetUp) -> Findings:
    client_ids = set_up.account.fetch_client_ids()
    if client_ids is None:
        yield wrong("the account has no identity provider for GitHub", "run `pennyworth bootstrap`")
    elif AUDIENCE not in client_ids:
        add = (
            "aws iam add-client-id-to-open-id-connect-provider"
            f" --open-id-connect-provider-arn {set_up.account.provider} --client-id {AUDIENCE}"
        )
        yield wrong(f"tokens for {AUDIENCE} are not let in, only for {', '.join(client_ids)}", add)
    else:
        yield ok(f"tokens for {AUDIENCE} are let in")


def _check_rights(set_up: SetUp) -> Findings:
    found = list(find_drifts(set_up.account, set_up.settings))
    said = warning if _is_outdated(set_up) else wrong
    for drift in found:
        yield said(f"{drift.what}: {drift.detail}", f"{AGAIN}, which puts it right")
    if not found:
        subjects = "\n".join(set_up.settings.list_subjects())
        yield ok(
            f"the roles, their policies and boundaries are as they were made. To deploy is for\n{subjects}"
        )
        if set_up.settings.views:
            yield ok("to look is for those and the repository's own pull requests")
        else:
            yield ok(
                "no view role: pull requests have no preview, health checks no role (--view-role yes makes it)"
            )


def _check_certificate(set_up: SetUp) -> Findings:
    domain = set_up.settings.domain
    if not domain:
        yield ok("none is needed without a domain")
        return
    found = certificates.find_certificate(set_up.account, domain)
    if found is None:
        yield wrong(f"none for {domain} in {set_up.account.region}, be it issued or asked for", AGAIN)
        return
    arn = found["CertificateArn"]
    if found["Status"] != "ISSUED":
        yield wrong(
            f"{arn} is {found['Status']}", f"{AGAIN}: it writes the record that proves the domain, and waits"
        )
        return
    days = int((certificates.read_expiry(found) - time.time()) / 86400)
    unproven = certificates.find_missing_records(set_up.account, domain, set_up.settings["HostedZoneId"], arn)
    if days < 0:
        yield wrong(f"{arn} ended {-days} days ago", "request or import a new one")
    elif found.get("Type") == "AMAZON_ISSUED" and unproven:
        names = ", ".join(record["Name"] for record in unproven)
        yield warning(f"{arn} can't be renewed: the zone lacks {names}", AGAIN)
    elif days < _DAYS_LEFT:
        yield warning(f"{arn} ends in {days} days", "see in ACM's console why it was not renewed")
    else:
        yield ok(f"{arn} is issued, for {days} more days")


def _check_zone(set_up: SetUp) -> Findings:
    domain, zone = set_up.settings["BaseDomain"], set_up.settings["HostedZoneId"]
    if not domain:
        yield ok("none is needed without a domain")
        return
    found = get_or_none(set_up.account.client("route53").get_hosted_zone, Id=zone)
    if found is None:
        yield wrong(f"there is no hosted zone {zone}", f"{AGAIN} with --hosted-zone-id")
        return
    name = found["HostedZone"]["Name"].rstrip(".")
    if domain != name and not domain.endswith(f".{name}"):
        yield wrong(f"{zone} is for {name}, which does not hold {domain}", f"{AGAIN} with --hosted-zone-id")
        return
    if found["HostedZone"]["Config"].get("PrivateZone"):
        yield wrong(f"{zone} is a private zone, which the world does not ask", "take a public one")
        return
    own = {server.rstrip(".").lower() for server in found.get("DelegationSet", {}).get("NameServers", [])}
    yield _check_delegation(name, own, set_up.dns)


def _check_delegation(name: str, own: set[str], server: str) -> Finding:
    fix = f"have your registrar name these for {name}: {', '.join(sorted(own))}"
    try:
        asked = _ask_name_servers(name, server)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return wrong(f"the world knows no name servers for {name}", fix)
    except (dns.exception.DNSException, OSError) as failure:
        return unknown(f"it holds {name}; who the world asks for it can't be told here: {failure}")
    if not asked & own:
        return wrong(f"the world asks others for {name}: {', '.join(sorted(asked))}", fix)
    if asked != own:
        return warning(f"the world asks {', '.join(sorted(asked))} for {name}", fix)
    return ok(f"it holds {name}, and the world asks it")


def _ask_name_servers(name: str, server: str) -> set[str]:
    resolver = dns.resolver.Resolver(configure=not server)
    if server:
        host, _, port = server.partition(":")
        resolver.nameservers, resolver.port = [host], int(port or _DNS_PORT)
    answer = resolver.resolve(f"{name}.", "NS", lifetime=_DNS_SECONDS)
    return {str(record.target).rstrip(".").lower() for record in answer}


def _check_artifacts(set_up: SetUp) -> Findings:
    stack = set_up.account.describe_stack(_ARTIFACTS)
    if stack is None:
        yield ok("the first deployment makes it")
        return
    bucket = stack.outputs.get("SourceBucket", "")
    fix = f"delete the stack {_ARTIFACTS}; the next deployment makes it anew"
    if not stack.status.endswith("_COMPLETE") or "ROLLBACK" in stack.status:
        yield wrong(f"the stack {_ARTIFACTS} is in {stack.status}", fix)
        return
    try:
        set_up.account.client("s3").head_bucket(Bucket=bucket)
    except ClientError as failure:
        yield wrong(f"the bucket {bucket} of the stack {_ARTIFACTS} can't be reached: {failure}", fix)
        return
    yield ok(bucket)


def _check_endpoint(set_up: SetUp) -> Findings:
    name = set_up.settings["StackName"]
    region = set_up.settings.region
    stack = set_up.account.describe_stack(name, region)
    if stack is None:
        yield warning(f"the stack {name} is not there yet", "push to the branch that deploys")
        return
    if stack.status == "ROLLBACK_COMPLETE":
        yield warning(f"the first deployment of {name} failed", "the next run clears it away and tries again")
        return
    try:
        check_deployable(stack)
    except OperationFailed as failure:
        yield wrong(f"{name}: {failure.title}", failure.message)
        return
    yield ok(f"the stack {name} is in {stack.status}")
    if set_up.settings["FirstDeployment"] == "yes":
        yield warning(f"the role still has {MANAGED_POLICIES[FIRST]}", f"{AGAIN} with --first-deployment no")
    boundary = set_up.account.build_policy_arn(MANAGED_POLICIES["stack-boundary"])
    for logical_id, role in Stack(name, region).list_physical_ids("AWS::IAM::Role").items():
        found = get_or_none(set_up.account.client("iam").get_role, RoleName=role)
        bounded = (found or {"Role": {}})["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        if found is None:
            yield wrong(f"the role {role} ({logical_id}) is gone", "deploy once without it, then with it")
        elif bounded != boundary:
            yield wrong(
                f"the role {role} does not carry {MANAGED_POLICIES['stack-boundary']}", "deploy again"
            )


def _check_concurrency(set_up: SetUp) -> Findings:
    limits = set_up.account.client("lambda").get_account_settings()["AccountLimit"]
    total, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    quotas = "ask for more: Service Quotas → AWS Lambda → Concurrent executions"
    if free <= _FEW_AT_A_TIME:
        yield warning(f"Lambda answers {free} callers at a time in this account", quotas)
    else:
        yield ok(f"Lambda answers {free} callers at a time, of {total} in this account")


def _check_timeout(set_up: SetUp) -> Findings:
    pages = set_up.account.client("service-quotas").get_paginator("list_service_quotas")
    for page in pages.paginate(ServiceCode="apigateway"):
        for quota in page["Quotas"]:
            if quota["QuotaName"] == _TIMEOUT_QUOTA:
                others = quota["Value"] / 1000
                yield ok(
                    f"streamed answers may take {_STREAM_SECONDS} s; the quota of {others:.0f} s is for others"
                )
                return
    yield unknown(f"Service Quotas knows no {_TIMEOUT_QUOTA}")


def _check_secrets(set_up: SetUp) -> Findings:
    repository = set_up.settings["Repository"]
    if not gh_cli.is_logged_in():
        yield unknown(
            "gh is not logged in here",
            f"gh auth login, or see with it: gh secret list -R {repository}",
        )
        return
    wanted = [
        *SECRETS,
        *(DOMAIN_SECRETS if set_up.settings.domain else ()),
        *(VIEW_SECRETS if set_up.settings.views else ()),
    ]
    present = gh_cli.list_secrets(repository)
    missing = [name for name in wanted if name not in present]
    if missing:
        yield wrong(
            f"{repository} lacks {', '.join(missing)}", f"{AGAIN} (--new-api-key makes LITELLM_API_KEYS)"
        )
    else:
        yield ok(f"{repository} has all {len(wanted)}")
    if "PROVIDER_CREDENTIALS" not in present:
        yield warning(
            f"{repository} has no PROVIDER_CREDENTIALS, without which only Bedrock and local models answer",
            gh_cli.make_command(repository, "PROVIDER_CREDENTIALS", None),
        )


def _check_alerts(set_up: SetUp) -> Findings:
    address = set_up.settings["AlertEmail"]
    if not address:
        yield ok(f"off ({AGAIN} with --alert-email to have them)")
        return
    account = set_up.account
    for region in {account.region: None, account.home: None}:
        stack = account.describe_stack(region=region)
        topic = stack.outputs.get("AlertTopicArn") if stack else None
        if topic is None:
            yield wrong(f"there are none in {region}, where changes in IAM are told", AGAIN)
            continue
        listed = account.client("sns", region).list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        if any(one["SubscriptionArn"].startswith("arn:") for one in listed if one["Endpoint"] == address):
            yield ok(f"{address} hears of what happens in {region}")
        else:
            yield warning(f"{address} has not agreed to hear of {region} yet", "open AWS's mail and its link")
        if not _is_recorded(account.client("cloudtrail", region)):
            yield wrong(
                f"no trail of CloudTrail records {region}, so that only failed deployments are told of",
                "make one in CloudTrail's console, for all regions",
            )


def _is_recorded(cloudtrail: Any) -> bool:
    """Whether a trail records what happens in a region."""
    trails = cloudtrail.describe_trails(includeShadowTrails=True)["trailList"]
    return any(cloudtrail.get_trail_status(Name=trail["TrailARN"])["IsLogging"] for trail in trails)


CHECKS: dict[str, Callable[[SetUp], Findings]] = {
    "region": _check_region,
    "set-up": _check_set_up,
    "identity provider": _check_provider,
    "rights": _check_rights,
    "certificate": _check_certificate,
    "hosted zone": _check_zone,
    "artifact bucket": _check_artifacts,
    "endpoint": _check_endpoint,
    "concurrency": _check_concurrency,
    "timeout": _check_timeout,
    "secrets": _check_secrets,
    "alerts": _check_alerts,
}
"""Each check by its name, in the order in which they are made."""


def get_set_up(account: Account, dns: str = "") -> SetUp:
    """What there is to look at: what the account was set up for.

    Raises:
        Unprepared: it was not.
    """
    found = read_parameters(account.describe_stack())
    if not found:
        raise Unprepared(
            f"There is no stack {STACK} in {account.region}. Set the account up with `pennyworth bootstrap`, or say"
            f" --region. (The role {DEPLOY_ROLE}, if somebody made it by hand, is not looked at.)"
        )
    return SetUp(account, Settings.of(found), dns)
