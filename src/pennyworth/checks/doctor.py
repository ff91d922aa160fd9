"""What is wrong with a set-up, each finding with what mends it. Nothing is changed."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import dns.exception
import dns.resolver
from botocore.exceptions import BotoCoreError, ClientError

from pennyworth.aws import certificates
from pennyworth.aws.account import STACK, Account, Unprepared, absent_as_none, parameters
from pennyworth.aws.github_oidc import AUDIENCE
from pennyworth.aws.stack import Stack
from pennyworth.github import gh_cli
from pennyworth.host.errors import OperationFailed
from pennyworth.iam.bootstrap_template.template import FIRST, TEMPLATE
from pennyworth.iam.drift import drifts
from pennyworth.iam.policy.documents import DEPLOY_ROLE, MANAGED_POLICIES
from pennyworth.iam.settings import Settings

AGAIN = "run `pennyworth bootstrap` again"

SECRETS = ("AWS_DEPLOY_ROLE_ARN", "AWS_REGION", "STACK_NAME", "LITELLM_API_KEYS")
VIEW_SECRETS = ("AWS_VIEW_ROLE_ARN",)
DOMAIN_SECRETS = ("BASE_DOMAIN", "ROUTE53_HOSTED_ZONE_ID", "ACM_CERTIFICATE_ARN")

_LINES = 20
_DNS_SECONDS = 5.0
_DNS_PORT = 53
_DAYS_LEFT = 30
_FEW_AT_A_TIME = 10
_STREAM_SECONDS = 900
_ARTIFACTS = "aws-sam-cli-managed-default"
_TIMEOUT_QUOTA = "Maximum integration timeout in milliseconds"


class Verdict(StrEnum):
    """How a check came out."""

    RIGHT = "right"
    WARNING = "warning"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    check: str
    verdict: Verdict
    detail: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at."""

    account: Account
    settings: Settings
    dns: str = ""
    """The name server to ask, HOST or HOST:PORT; this machine's own by default."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Every check's finding, as it comes."""
    for name, check in CHECKS.items():
        try:
            for verdict, detail, mend in check(patient):
                yield Finding(name, verdict, detail, mend)
        except (ClientError, BotoCoreError, gh_cli.GitHubFailed) as failure:
            yield Finding(name, Verdict.UNKNOWN, str(failure), "")


def line(finding: Finding) -> str:
    """A finding as a person reads it."""
    mark = {Verdict.RIGHT: "✓", Verdict.WARNING: "!", Verdict.WRONG: "✗", Verdict.UNKNOWN: "?"}[
        finding.verdict
    ]
    first, *rest = finding.detail.splitlines() or [""]
    if len(rest) > _LINES:
        rest = [*rest[:_LINES], f"... {len(rest) - _LINES} more lines (--json shows all)"]
    lines = [f"{mark} {finding.check:<18} {first}", *(f"{'':<21}{one}" for one in rest)]
    return "\n".join([*lines, *([f"{'':<21}→ {finding.mend}"] if finding.mend else [])])


def as_json(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings as data: check, verdict, detail, mend."""
    return [asdict(finding) for finding in findings]


_Said = Iterator[tuple[Verdict, str, str]]


def _right(detail: str) -> tuple[Verdict, str, str]:
    return Verdict.RIGHT, detail, ""


def _wrong(detail: str, mend: str) -> tuple[Verdict, str, str]:
    return Verdict.WRONG, detail, mend


def _warning(detail: str, mend: str) -> tuple[Verdict, str, str]:
    return Verdict.WARNING, detail, mend


def _region(patient: Patient) -> _Said:
    if patient.settings.region == patient.account.region:
        yield _right(f"{patient.account.region}, account {patient.account.number}")
    else:
        yield _wrong(
            f"the role deploys to {patient.settings.region}, this looks at {patient.account.region}",
            f"say --region {patient.settings.region}, or {AGAIN}",
        )


def _set_up(patient: Patient) -> _Said:
    stack = patient.account.stack()
    if stack is None:
        yield _wrong(f"there is no stack {STACK} in {patient.account.region}", "run `pennyworth bootstrap`")
        return
    status = stack["StackStatus"]
    if not status.endswith("_COMPLETE") or status in {"ROLLBACK_COMPLETE", "DELETE_COMPLETE"}:
        yield _wrong(f"the stack {STACK} is in {status}", AGAIN)
        return
    if _outdated(patient):
        yield _warning(f"the stack {STACK} was made by another version of policies/bootstrap.yaml", AGAIN)
    else:
        yield _right(f"the stack {STACK} is in {status}")


def _outdated(patient: Patient) -> bool:
    client = patient.account.client("cloudformation")
    original = client.get_template(StackName=STACK, TemplateStage="Original")["TemplateBody"]
    return bool(original != TEMPLATE.read_text())


def _provider(patient: Patient) -> _Said:
    client_ids = patient.account.client_ids()
    if client_ids is None:
        yield _wrong("the account has no identity provider for GitHub", "run `pennyworth bootstrap`")
    elif AUDIENCE not in client_ids:
        add = (
            "aws iam add-client-id-to-open-id-connect-provider"
            f" --open-id-connect-provider-arn {patient.account.provider} --client-id {AUDIENCE}"
        )
        yield _wrong(f"tokens for {AUDIENCE} are not let in, only for {', '.join(client_ids)}", add)
    else:
        yield _right(f"tokens for {AUDIENCE} are let in")


def _rights(patient: Patient) -> _Said:
    found = list(drifts(patient.account, patient.settings))
    said = _warning if _outdated(patient) else _wrong
    for drift in found:
        yield said(f"{drift.what}: {drift.detail}", f"{AGAIN}, which puts it right")
    if not found:
        subjects = "\n".join(patient.settings.subjects())
        yield _right(
            f"the roles, their policies and boundaries are as they were made. To deploy is for\n{subjects}"
        )
        if patient.settings.views:
            yield _right("to look is for those and the repository's own pull requests")
        else:
            yield _right(
                "no view role: pull requests have no preview, health checks no role (--view-role yes makes it)"
            )


def _certificate(patient: Patient) -> _Said:
    domain = patient.settings.domain
    if not domain:
        yield _right("none is needed without a domain")
        return
    found = certificates.find(patient.account, domain)
    if found is None:
        yield _wrong(f"none for {domain} in {patient.account.region}, be it issued or asked for", AGAIN)
        return
    arn = found["CertificateArn"]
    if found["Status"] != "ISSUED":
        yield _wrong(
            f"{arn} is {found['Status']}", f"{AGAIN}: it writes the record that proves the domain, and waits"
        )
        return
    days = int((certificates.expiry(found) - time.time()) / 86400)
    unproven = certificates.missing_records(patient.account, domain, patient.settings["HostedZoneId"], arn)
    if days < 0:
        yield _wrong(f"{arn} ended {-days} days ago", "request or import a new one")
    elif found.get("Type") == "AMAZON_ISSUED" and unproven:
        names = ", ".join(record["Name"] for record in unproven)
        yield _warning(f"{arn} can't be renewed: the zone lacks {names}", AGAIN)
    elif days < _DAYS_LEFT:
        yield _warning(f"{arn} ends in {days} days", "see in ACM's console why it was not renewed")
    else:
        yield _right(f"{arn} is issued, for {days} more days")


def _zone(patient: Patient) -> _Said:
    domain, zone = patient.settings["BaseDomain"], patient.settings["HostedZoneId"]
    if not domain:
        yield _right("none is needed without a domain")
        return
    found = absent_as_none(patient.account.client("route53").get_hosted_zone, Id=zone)
    if found is None:
        yield _wrong(f"there is no hosted zone {zone}", f"{AGAIN} with --hosted-zone-id")
        return
    name = found["HostedZone"]["Name"].rstrip(".")
    if domain != name and not domain.endswith(f".{name}"):
        yield _wrong(f"{zone} is for {name}, which does not hold {domain}", f"{AGAIN} with --hosted-zone-id")
        return
    if found["HostedZone"]["Config"].get("PrivateZone"):
        yield _wrong(f"{zone} is a private zone, which the world does not ask", "take a public one")
        return
    own = {server.rstrip(".").lower() for server in found.get("DelegationSet", {}).get("NameServers", [])}
    yield _delegation(name, own, patient.dns)


def _delegation(name: str, own: set[str], server: str) -> tuple[Verdict, str, str]:
    mend = f"have your registrar name these for {name}: {', '.join(sorted(own))}"
    try:
        asked = _name_servers(name, server)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return _wrong(f"the world knows no name servers for {name}", mend)
    except (dns.exception.DNSException, OSError) as failure:
        return (
            Verdict.UNKNOWN,
            f"it holds {name}; who the world asks for it can't be told here: {failure}",
            "",
        )
    if not asked & own:
        return _wrong(f"the world asks others for {name}: {', '.join(sorted(asked))}", mend)
    if asked != own:
        return _warning(f"the world asks {', '.join(sorted(asked))} for {name}", mend)
    return _right(f"it holds {name}, and the world asks it")


def _name_servers(name: str, server: str) -> set[str]:
    resolver = dns.resolver.Resolver(configure=not server)
    if server:
        host, _, port = server.partition(":")
        resolver.nameservers, resolver.port = [host], int(port or _DNS_PORT)
    answer = resolver.resolve(f"{name}.", "NS", lifetime=_DNS_SECONDS)
    return {str(record.target).rstrip(".").lower() for record in answer}


def _artifacts(patient: Patient) -> _Said:
    stack = patient.account.stack(_ARTIFACTS)
    if stack is None:
        yield _right("the first deployment makes it")
        return
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    bucket = outputs.get("SourceBucket", "")
    mend = f"delete the stack {_ARTIFACTS}; the next deployment makes it anew"
    if not stack["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in stack["StackStatus"]:
        yield _wrong(f"the stack {_ARTIFACTS} is in {stack['StackStatus']}", mend)
        return
    try:
        patient.account.client("s3").head_bucket(Bucket=bucket)
    except ClientError as failure:
        yield _wrong(f"the bucket {bucket} of the stack {_ARTIFACTS} can't be reached: {failure}", mend)
        return
    yield _right(bucket)


def _endpoint(patient: Patient) -> _Said:
    name = patient.settings["StackName"]
    stack = Stack(name, patient.settings.region)
    status = stack.status()
    if status is None:
        yield _warning(f"the stack {name} is not there yet", "push to the branch that deploys")
        return
    if status == "ROLLBACK_COMPLETE":
        yield _warning(
            f"the first deployment of {name} failed", "the next run clears it away and tries again"
        )
        return
    try:
        stack.make_deployable()  # changes nothing in any other state
    except OperationFailed as failure:
        yield _wrong(f"{name}: {failure.title}", failure.message)
        return
    yield _right(f"the stack {name} is in {status}")
    if patient.settings["FirstDeployment"] == "yes":
        yield _warning(f"the role still has {MANAGED_POLICIES[FIRST]}", f"{AGAIN} with --first-deployment no")
    boundary = patient.account.arn(f"policy/{MANAGED_POLICIES['stack-boundary']}")
    for logical_id, role in stack.physical_ids("AWS::IAM::Role").items():
        found = absent_as_none(patient.account.client("iam").get_role, RoleName=role)
        bounded = (found or {"Role": {}})["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        if found is None:
            yield _wrong(f"the role {role} ({logical_id}) is gone", "deploy once without it, then with it")
        elif bounded != boundary:
            yield _wrong(
                f"the role {role} does not carry {MANAGED_POLICIES['stack-boundary']}", "deploy again"
            )


def _concurrency(patient: Patient) -> _Said:
    limits = patient.account.client("lambda").get_account_settings()["AccountLimit"]
    total, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    quotas = "ask for more: Service Quotas → AWS Lambda → Concurrent executions"
    if free <= _FEW_AT_A_TIME:
        yield _warning(f"Lambda answers {free} callers at a time in this account", quotas)
    else:
        yield _right(f"Lambda answers {free} callers at a time, of {total} in this account")


def _timeout(patient: Patient) -> _Said:
    pages = patient.account.client("service-quotas").get_paginator("list_service_quotas")
    for page in pages.paginate(ServiceCode="apigateway"):
        for quota in page["Quotas"]:
            if quota["QuotaName"] == _TIMEOUT_QUOTA:
                others = quota["Value"] / 1000
                yield _right(
                    f"streamed answers may take {_STREAM_SECONDS} s; the quota of {others:.0f} s is for others"
                )
                return
    yield Verdict.UNKNOWN, f"Service Quotas knows no {_TIMEOUT_QUOTA}", ""


def _secrets(patient: Patient) -> _Said:
    repository = patient.settings["Repository"]
    if not gh_cli.logged_in():
        yield (
            Verdict.UNKNOWN,
            "gh is not logged in here",
            f"gh auth login, or see with it: gh secret list -R {repository}",
        )
        return
    wanted = [
        *SECRETS,
        *(DOMAIN_SECRETS if patient.settings.domain else ()),
        *(VIEW_SECRETS if patient.settings.views else ()),
    ]
    present = gh_cli.secrets(repository)
    missing = [name for name in wanted if name not in present]
    if missing:
        yield _wrong(
            f"{repository} lacks {', '.join(missing)}", f"{AGAIN} (--new-api-key makes LITELLM_API_KEYS)"
        )
    else:
        yield _right(f"{repository} has all {len(wanted)}")
    if "PROVIDER_CREDENTIALS" not in present:
        yield _warning(
            f"{repository} has no PROVIDER_CREDENTIALS, without which only Bedrock and local models answer",
            gh_cli.command(repository, "PROVIDER_CREDENTIALS", None),
        )


def _alerts(patient: Patient) -> _Said:
    address = patient.settings["AlertEmail"]
    if not address:
        yield _right(f"off ({AGAIN} with --alert-email to have them)")
        return
    account = patient.account
    for region in {account.region: None, account.home: None}:
        outputs = (account.stack(region=region) or {}).get("Outputs", [])
        topic = next((out["OutputValue"] for out in outputs if out["OutputKey"] == "AlertTopicArn"), None)
        if topic is None:
            yield _wrong(f"there are none in {region}, where changes in IAM are told", AGAIN)
            continue
        listed = account.client("sns", region).list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        if any(one["SubscriptionArn"].startswith("arn:") for one in listed if one["Endpoint"] == address):
            yield _right(f"{address} hears of what happens in {region}")
        else:
            yield _warning(
                f"{address} has not agreed to hear of {region} yet", "open AWS's mail and its link"
            )
        if not _recorded(account.client("cloudtrail", region)):
            yield _wrong(
                f"no trail of CloudTrail records {region}, so that only failed deployments are told of",
                "make one in CloudTrail's console, for all regions",
            )


def _recorded(cloudtrail: Any) -> bool:
    """Whether a trail records what happens in a region."""
    trails = cloudtrail.describe_trails(includeShadowTrails=True)["trailList"]
    return any(cloudtrail.get_trail_status(Name=trail["TrailARN"])["IsLogging"] for trail in trails)


CHECKS: dict[str, Callable[[Patient], _Said]] = {
    "region": _region,
    "set-up": _set_up,
    "identity provider": _provider,
    "rights": _rights,
    "certificate": _certificate,
    "hosted zone": _zone,
    "artifact bucket": _artifacts,
    "endpoint": _endpoint,
    "concurrency": _concurrency,
    "timeout": _timeout,
    "secrets": _secrets,
    "alerts": _alerts,
}
"""Each check by its name, in the order in which they are made."""


def patient(account: Account, dns: str = "") -> Patient:
    """What there is to look at: what the account was set up for.

    Raises:
        Unprepared: it was not.
    """
    found = parameters(account.stack())
    if not found:
        raise Unprepared(
            f"There is no stack {STACK} in {account.region}. Set the account up with `pennyworth bootstrap`, or say"
            f" --region. (The role {DEPLOY_ROLE}, if somebody made it by hand, is not looked at.)"
        )
    return Patient(account, Settings.of(found), dns)
