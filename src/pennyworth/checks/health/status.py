"""What is deployed, where, and whether it is healthy. The short form of the health check, for people."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pennyworth.aws.console import list_links
from pennyworth.aws.credential_store import Credentials, CredentialsFailed, count_api_keys
from pennyworth.aws.function_versions import find_function
from pennyworth.aws.provenance import PARAMETER, Provenance
from pennyworth.aws.snapshot import Snapshot
from pennyworth.checks.finding import Finding, Verdict, overall
from pennyworth.checks.health.checks import CHECKS, STATE, examine
from pennyworth.checks.health.subject import Subject
from pennyworth.checks.smoke.endpoint import Endpoint, Failure
from pennyworth.host.errors import OperationFailed

_TIMEOUT_SECONDS = 10.0

QUICK = (STATE, "endpoint", "certificate", "version", "package", "traffic", "alarms")
"""The health checks that run: those that take a second, not a minute."""
HEALTHY = frozenset({Verdict.OK, Verdict.WARNING, Verdict.DEPLOYING})


@dataclass(frozen=True, slots=True)
class Status:
    """The facts about an endpoint."""

    stack: str
    region: str
    account: str
    state: str
    """The stack's state, such as UPDATE_COMPLETE; empty if there is no stack."""
    deployed: datetime | None
    """When the last deployment began."""
    software: str | None
    """What answers, such as "pennyworth 0.1.0"; None if nothing does."""
    version: str | None
    """The version of the function that callers reach."""
    deployed_version: str | None
    """The version that the last deployment made live."""
    configuration_hash: str | None
    commit: str | None
    """The commit that the deployed package was first built from."""
    package: str | None
    """The SHA-256 of the deployed package's zip file, in base64."""
    locks: str | None
    """The first digits of the SHA-256 of the lock whose packages it contains."""
    base_url: str | None
    api_url: str | None
    domain: str | None
    provider: str | None
    """The provider of an endpoint without a config.yaml."""
    models: Sequence[str] | None
    """The models that callers may use; None if they can't be listed, which needs an API key."""
    api_keys: int | None
    """How many API keys callers may use; None if that can't be read."""
    alarms: Mapping[str, str]
    """The alarms' states by name."""
    links: Mapping[str, str | None]
    """The addresses of its pages; see list_links."""
    verdict: Verdict
    findings: Sequence[Finding]

    @property
    def healthy(self) -> bool:
        """Whether nobody has to act at once."""
        return self.verdict in HEALTHY


def fetch_status(subject: Subject, tell: Callable[[str], None]) -> Status:
    """Collect the facts, and run the quick health checks.

    Args:
        subject: the endpoint.
        tell: is called with what is being done.
    """
    stack, account = subject.described, subject.account
    findings = []
    for finding in examine(subject, [name for name in CHECKS if name not in QUICK]):
        findings.append(finding)
        tell(f"checked {finding.check}")
    outputs = subject.outputs
    origin = Provenance.find(subject.parameters.get(PARAMETER, ""))
    return Status(
        stack=subject.stack,
        region=account.region,
        account=account.id,
        state=subject.status,
        deployed=stack.begun if stack else None,
        software=_read_software(subject),
        version=_fetch_live_version(stack),
        deployed_version=outputs.get("FunctionVersion", "").rpartition(":")[2] or None,
        configuration_hash=subject.parameters.get("ConfigHash") or None,
        commit=origin.commit if origin else None,
        package=origin.package if origin else None,
        locks=origin.locks if origin else None,
        base_url=subject.base_url or None,
        api_url=outputs.get("ApiUrl"),
        domain=subject.domain or None,
        provider=subject.parameters.get("ModelProvider") or None,
        models=_list_models(subject),
        api_keys=_count_keys(subject),
        alarms=_fetch_alarms(subject),
        links=list_links(stack) if stack else {},
        verdict=overall(findings),
        findings=findings,
    )


def _fetch_live_version(stack: Snapshot | None) -> str | None:
    function = find_function(stack)
    try:
        return function.fetch_live_version() if function else None
    except OperationFailed:  # the finding of the check `version` says why
        return None


def _read_software(subject: Subject) -> str | None:
    if not subject.base_url:
        return None
    return _reach(subject).software or None


def _list_models(subject: Subject) -> list[str] | None:
    """List the models, with the API key that the user gave."""
    if not subject.key or not subject.base_url:
        return None
    try:
        return _reach(subject).models
    except Failure:
        return None


def _reach(subject: Subject) -> Endpoint:
    return Endpoint.through(subject.emulator, subject.base_url, subject.key, timeout=_TIMEOUT_SECONDS)


def _count_keys(subject: Subject) -> int | None:
    if "CredentialsPath" not in subject.outputs:
        return None
    try:
        return count_api_keys(Credentials(subject.stack, subject.account.region).fetch_all())
    except CredentialsFailed:
        return None


def _fetch_alarms(subject: Subject) -> dict[str, str]:
    names = subject.list_resources("AWS::CloudWatch::Alarm") if subject.described else []
    if not names:
        return {}
    found = subject.account.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
