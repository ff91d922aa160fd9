"""Look whether the deployed endpoint is well, keep a history, and keep one issue for as long as it is not."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pennyworth.aws.account import AWS_FAILURES, Account, Unprepared
from pennyworth.checks.health import chart, history, issue
from pennyworth.checks.health.checks import CHECKS, examine
from pennyworth.checks.health.finding import ICONS, Finding, Verdict, as_table, line, overall, strict
from pennyworth.checks.health.limits import Limits
from pennyworth.checks.health.subject import Subject
from pennyworth.github import actions
from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.host.errors import OperationFailed

TITLE = "Health check"

_SOUND = frozenset({Verdict.OK, Verdict.WARNING, Verdict.DEPLOYING})
_HEADS = {
    Verdict.OK: "All is well.",
    Verdict.WARNING: "It answers, but have a look.",
    Verdict.DEPLOYING: "A deployment is at work: what is seen meanwhile would say nothing.",
    Verdict.UNKNOWN: "Nothing could be found out.",
    Verdict.UNHEALTHY: "Something is wrong.",
}


def run(environ: dict[str, str]) -> str:
    """Look, and tell.

    Args:
        environ: STACK_NAME; AWS_REGION; and if wanted LITELLM_API_KEYS, the first of which is used; ROLE and POLICY,
            the deploy role and its policy, by name or ARN; SKIP, comma-separated checks; STRICT, whether a warning
            counts as unhealthy; FAIL, whether what is unhealthy fails the step; ISSUE, whether an issue is kept, with
            GITHUB_TOKEN; NAME, which endpoint it is where a repository has several; HISTORY, a file; and
            Limits' own, such as WINDOW_HOURS.
    Returns:
        what was seen.
    Raises:
        OperationFailed: it is unhealthy, or nothing could be seen at all.
    """
    for key in _keys(environ):
        actions.mask(key)
    subject = seen_by(environ)
    skip = skipped(environ.get("SKIP", ""))
    fails = actions.asked(environ, "FAIL", default=True)
    keeps = actions.asked(environ, "ISSUE", default=False)
    severe = actions.asked(environ, "STRICT", default=False)
    findings = []
    try:
        for finding in examine(subject, skip):
            findings.append(strict(finding) if severe else finding)
            actions.say(line(findings[-1]))
    except AWS_FAILURES as failure:
        raise OperationFailed(
            "AWS can't be asked", "Run it again, or see what it says:", str(failure)
        ) from failure
    now = datetime.now(UTC)
    verdict = overall(findings)
    kept = _remember(environ.get("HISTORY", ""), findings, now)
    told = _keep_issue(environ, subject, findings, now) if keeps else ""
    actions.output("verdict", str(verdict))
    actions.output("healthy", str(verdict in _SOUND).lower())
    report = _report(findings, kept, told)
    for finding in findings:
        if finding.verdict == Verdict.WARNING:
            actions.warning(f"{finding.check}: {finding.said.detail}", finding.said.mend)
    if verdict in _SOUND:
        return report
    if not fails:
        actions.warning("The endpoint is unhealthy", "What is wrong is in the job's summary.")
        return report
    raise OperationFailed(
        f"The endpoint is {verdict}",
        "What was seen, and what to do:",
        "\n".join(line(one) for one in findings if one.verdict in (Verdict.UNHEALTHY, Verdict.UNKNOWN)),
        report,
    )


def seen_by(environ: Mapping[str, str]) -> Subject:
    """What is looked at, as the environment describes it. See `run`.

    Raises:
        OperationFailed: a setting is missing or wrong, or AWS does not know whoever asks.
    """
    stack = actions.required(environ, "STACK_NAME")
    limits = Limits.from_environ(environ)
    try:
        account = Account(actions.required(environ, "AWS_REGION"))
    except Unprepared as failure:
        raise OperationFailed("AWS can't be asked", str(failure)) from failure
    return Subject(
        account,
        stack,
        limits,
        next(iter(_keys(environ)), None),
        environ.get("GITHUB_REPOSITORY", ""),
        emulator=environ.get("AWS_ENDPOINT_URL", ""),
        **{name.lower(): environ[name] for name in ("ROLE", "POLICY") if environ.get(name)},
    )


def _keys(environ: Mapping[str, str]) -> list[str]:
    return [key.strip() for key in environ.get("LITELLM_API_KEYS", "").split(",") if key.strip()]


def skipped(text: str) -> list[str]:
    """Names of checks, from a list with commas.

    Raises:
        OperationFailed: there is none of that name.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if wrong := [name for name in names if name not in CHECKS]:
        raise OperationFailed(f"There is no check {', '.join(wrong)}", f"There are: {', '.join(CHECKS)}.")
    return names


def _remember(path: str, findings: Sequence[Finding], now: datetime) -> list[history.Entry]:
    if not path:
        return []
    file = Path(path)
    entries = [*history.read(file), history.entry(findings, now)]
    history.write(file, entries)
    return entries


def _keep_issue(
    environ: Mapping[str, str], subject: Subject, findings: Sequence[Finding], now: datetime
) -> str:
    """Open, update or close the issue; what was done. That GitHub refuses is a warning: the check itself was made."""
    server, run_id = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_RUN_ID", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    page = f"{server}/{repository}/actions/runs/{run_id}" if server and run_id else ""
    report = issue.Report(findings, now, subject.hidden(), environ.get("NAME", ""), page)
    try:
        return issue.keep(GitHub.from_environ(environ), report)
    except GitHubFailed as failure:
        actions.warning("The issue could not be kept", str(failure))
        return f"⚠️ The issue could not be kept: {failure}"


def _report(findings: Sequence[Finding], kept: Sequence[history.Entry], told: str) -> str:
    bad = [one for one in findings if one.verdict not in (Verdict.OK, Verdict.DEPLOYING)]
    good = [one for one in findings if one not in bad]
    verdict = overall(findings)
    parts = [f"{ICONS[verdict]} **{_HEADS[verdict]}** {told}".strip(), as_table(bad) if bad else ""]
    if good:
        summary = f"{len(good)} checks without fault" if bad else f"All {len(good)} checks"
        parts.append(f"<details><summary>{summary}</summary>\n\n{as_table(good)}\n\n</details>")
    return "\n\n".join(filter(None, [*parts, chart.as_markdown(kept)]))
