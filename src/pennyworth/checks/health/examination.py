"""Runs the whole health check: the findings, their history, and a GitHub issue while something is wrong."""

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
from pennyworth.gateway.credentials import API_KEYS, read_api_keys
from pennyworth.github import actions
from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.host.errors import OperationFailed
from pennyworth.host.lists import split_list

_SOUND = frozenset({Verdict.OK, Verdict.WARNING, Verdict.DEPLOYING})


@dataclass(frozen=True, slots=True)
class IssueInputs:
    """Where the issue is kept, and what it contains besides the findings."""

    github: GitHub
    name: str = ""
    """The endpoint's name, if the repository has several. Public."""
    run_url: str = ""
    """The URL of the workflow run."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "IssueInputs":
        """Read the inputs from a step's environment: GITHUB_TOKEN, GitHub's variables and, optionally, NAME.

        Raises:
            OperationFailed: a required variable is missing.
        """
        server, run_id = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_RUN_ID", "")
        repository = environ.get("GITHUB_REPOSITORY", "")
        page = f"{server}/{repository}/actions/runs/{run_id}" if server and run_id else ""
        return cls(GitHub.from_environ(environ), environ.get("NAME", ""), page)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which endpoint to check, and what to do with the findings."""

    stack: str
    region: str
    keys: Sequence[str] = field(default=(), repr=False)
    """The endpoint's API keys; the first one is used. Without any, tests that need a key are skipped."""
    repository: str = ""
    """The only repository that the deploy role may trust, OWNER/NAME. Empty: not checked."""
    role: str = ""
    """The deploy role, by name or ARN. Empty: the endpoint's."""
    policy: str = ""
    """Its policy with the PassRole statement, by name or ARN. Empty: the endpoint's."""
    emulator: str = ""
    """The URL of an AWS emulator, which serves every domain at one address without TLS. Empty: AWS."""
    limits: Limits = field(default_factory=Limits)
    skip: Sequence[str] = ()
    """Names of checks to skip."""
    strict: bool = False
    """Whether warnings count as unhealthy."""
    history: Path | None = None
    """The file with the results of earlier runs. None: keep no history."""
    issue: IssueInputs | None = None
    """None: keep no issue."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """Read the inputs from a step's environment.

        STACK_NAME and AWS_REGION are required. Optional: LITELLM_API_KEYS and SKIP (comma-separated), ROLE,
        POLICY, STRICT and ISSUE (true or false), HISTORY, GITHUB_REPOSITORY, and those of Limits, such as
        WINDOW_HOURS.

        Raises:
            OperationFailed: a variable is missing or wrong.
        """
        file = environ.get("HISTORY", "")
        return cls(
            stack=actions.required(environ, "STACK_NAME"),
            limits=Limits.from_environ(environ),
            region=actions.required(environ, "AWS_REGION"),
            keys=list(read_api_keys(environ.get(API_KEYS, "")).keys),
            repository=environ.get("GITHUB_REPOSITORY", ""),
            role=environ.get("ROLE", ""),
            policy=environ.get("POLICY", ""),
            emulator=environ.get("AWS_ENDPOINT_URL", ""),
            skip=split_list(environ.get("SKIP", "")),
            strict=actions.asked(environ, "STRICT", default=False),
            history=Path(file) if file else None,
            issue=IssueInputs.of(environ) if actions.asked(environ, "ISSUE", default=False) else None,
        )


@dataclass(frozen=True, slots=True)
class Health:
    """The result of a health check."""

    findings: Sequence[Finding]
    history: Sequence[Entry] = ()
    """This run and earlier ones; empty without a history."""
    issue: str = ""
    """What was done with the issue."""
    issue_failure: str = ""
    """Why the issue could not be updated, if so."""

    @property
    def verdict(self) -> Verdict:
        """The overall verdict."""
        return overall(self.findings)

    @property
    def sound(self) -> bool:
        """Whether nobody has to act."""
        return self.verdict in _SOUND


def check_health(inputs: Inputs, tell: Callable[[Finding], None]) -> Health:
    """Run the health check.

    Args:
        inputs: which endpoint to check, and how.
        tell: called with each finding as it is made.
    Returns:
        the findings, the history and what was done with the issue.
    Raises:
        OperationFailed: a check to skip does not exist, or AWS can't be called.
    """
    subject = connect(inputs)
    if wrong := [name for name in inputs.skip if name not in CHECKS]:
        raise OperationFailed(
            f"There is no check named {', '.join(wrong)}", f"The checks are: {', '.join(CHECKS)}."
        )
    findings = []
    try:
        for finding in examine(subject, inputs.skip):
            findings.append(strict(finding) if inputs.strict else finding)
            tell(findings[-1])
    except AWS_FAILURES as failure:
        raise OperationFailed(
            "A call to AWS failed", "Run this again. If it fails again, the message is:", str(failure)
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
    """Connect to the account and return the endpoint to check.

    Raises:
        OperationFailed: there are no valid AWS credentials.
    """
    try:
        account = Account(inputs.region)
    except Unprepared as failure:
        raise OperationFailed("AWS can't be called", str(failure)) from failure
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
