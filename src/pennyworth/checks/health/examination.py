"""A whole health check: every check's findings, a history of them, and an issue for as long as something is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.errors import AWS_FAILURES
from pennyworth.checks.finding import Finding, Verdict, overall, strict
from pennyworth.checks.health import history, issue
from pennyworth.checks.health.checks import CHECKS, examine
from pennyworth.checks.health.history import Entry
from pennyworth.checks.health.limits import Limits
from pennyworth.checks.health.subject import Subject
from pennyworth.github import actions
from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import split_list
from pennyworth.iam.policy.documents import DEPLOY_ROLE, MANAGED_POLICIES

_SOUND = frozenset({Verdict.OK, Verdict.WARNING, Verdict.DEPLOYING})


@dataclass(frozen=True, slots=True)
class IssueInputs:
    """Where the issue is kept, and what it says besides the findings."""

    github: GitHub
    name: str = ""
    """Which endpoint it is, where a repository has several. Public."""
    run_url: str = ""
    """The run's page."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "IssueInputs":
        """As a step is told them: GITHUB_TOKEN and what else GitHub sets, and if wanted NAME.

        Raises:
            OperationFailed: one is missing.
        """
        server, run_id = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_RUN_ID", "")
        repository = environ.get("GITHUB_REPOSITORY", "")
        page = f"{server}/{repository}/actions/runs/{run_id}" if server and run_id else ""
        return cls(GitHub.from_environ(environ), environ.get("NAME", ""), page)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which endpoint is looked at, and what becomes of what is seen."""

    stack: str
    region: str
    keys: Sequence[str] = field(default=(), repr=False)
    """The endpoint's API keys, the first of which is used; without any only what needs none is tried."""
    repository: str = ""
    """The only repository that the deploy role may trust, OWNER/NAME; empty where that is not known."""
    role: str = DEPLOY_ROLE
    """The deploy role, by name or ARN."""
    policy: str = MANAGED_POLICIES["deployment"]
    """Its policy with the PassRole statement, by name or ARN."""
    emulator: str = ""
    """The URL of an AWS emulator, where every domain is at one address and without TLS; empty for AWS."""
    limits: Limits = field(default_factory=Limits)
    skip: Sequence[str] = ()
    """Names of checks to leave out."""
    strict: bool = False
    """Whether a warning counts as unhealthy."""
    history: Path | None = None
    """Where earlier runs are remembered."""
    issue: IssueInputs | None = None
    """None where no issue is kept."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: STACK_NAME and AWS_REGION; and, if wanted, LITELLM_API_KEYS and SKIP, which are
        comma-separated, ROLE and POLICY, STRICT, HISTORY, ISSUE, whether an issue is kept, GITHUB_REPOSITORY, and
        Limits' own, such as WINDOW_HOURS.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        file = environ.get("HISTORY", "")
        return cls(
            stack=actions.required(environ, "STACK_NAME"),
            limits=Limits.from_environ(environ),
            region=actions.required(environ, "AWS_REGION"),
            keys=split_list(environ.get("LITELLM_API_KEYS", "")),
            repository=environ.get("GITHUB_REPOSITORY", ""),
            role=environ.get("ROLE") or DEPLOY_ROLE,
            policy=environ.get("POLICY") or MANAGED_POLICIES["deployment"],
            emulator=environ.get("AWS_ENDPOINT_URL", ""),
            skip=split_list(environ.get("SKIP", "")),
            strict=actions.asked(environ, "STRICT", default=False),
            history=Path(file) if file else None,
            issue=IssueInputs.of(environ) if actions.asked(environ, "ISSUE", default=False) else None,
        )


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint is."""

    findings: Sequence[Finding]
    history: Sequence[Entry] = ()
    """This run and those before it; none where they are not remembered."""
    issue: str = ""
    """What became of the issue."""
    issue_failure: str = ""
    """Why GitHub did not keep it."""

    @property
    def verdict(self) -> Verdict:
        """What the findings mean together."""
        return overall(self.findings)

    @property
    def sound(self) -> bool:
        """Whether nobody needs to be told."""
        return self.verdict in _SOUND


def check_health(inputs: Inputs, tell: Callable[[Finding], None]) -> Health:
    """Look at everything.

    Args:
        inputs: the endpoint.
        tell: is told each finding as it comes.
    Raises:
        OperationFailed: there is no such check, or AWS can't be asked.
    """
    subject = connect(inputs)
    if wrong := [name for name in inputs.skip if name not in CHECKS]:
        raise OperationFailed(f"There is no check {', '.join(wrong)}", f"There are: {', '.join(CHECKS)}.")
    findings = []
    try:
        for finding in examine(subject, inputs.skip):
            findings.append(strict(finding) if inputs.strict else finding)
            tell(findings[-1])
    except AWS_FAILURES as failure:
        raise OperationFailed(
            "AWS can't be asked", "Run it again, or see what it says:", str(failure)
        ) from failure
    now = datetime.now(UTC)
    entries = _remember(inputs.history, findings, now) if inputs.history else []
    if not inputs.issue:
        return Health(findings, entries)
    report = issue.Report(findings, now, subject.hidden(), inputs.issue.name, inputs.issue.run_url)
    try:
        return Health(findings, entries, issue.keep(inputs.issue.github, report))
    except GitHubFailed as failure:
        return Health(findings, entries, issue_failure=str(failure))


def connect(inputs: Inputs) -> Subject:
    """What is looked at.

    Raises:
        OperationFailed: AWS does not know whoever asks.
    """
    try:
        account = Account(inputs.region)
    except Unprepared as failure:
        raise OperationFailed("AWS can't be asked", str(failure)) from failure
    return Subject(
        account,
        inputs.stack,
        inputs.limits,
        next(iter(inputs.keys), None),
        inputs.repository,
        inputs.role,
        inputs.policy,
        inputs.emulator,
    )


def _remember(file: Path, findings: Sequence[Finding], now: datetime) -> list[Entry]:
    entries = [*history.read(file), history.entry(findings, now)]
    history.write(file, entries)
    return entries
