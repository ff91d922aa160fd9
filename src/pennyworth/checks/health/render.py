"""Renders the result of a health check for the job summary."""

from pennyworth.checks.finding import ICONS, Verdict, as_table
from pennyworth.checks.health import chart
from pennyworth.checks.health.examination import Health

_HEADS = {
    Verdict.OK: "The endpoint is healthy.",
    Verdict.WARNING: "The endpoint works, but there are warnings.",
    Verdict.DEPLOYING: "A deployment is in progress, so the endpoint was not checked.",
    Verdict.UNKNOWN: "Nothing could be checked.",
    Verdict.UNHEALTHY: "The endpoint is unhealthy.",
}


def as_markdown(health: Health) -> str:
    """Return the findings, problems first, and the history."""
    bad = [one for one in health.findings if one.verdict not in (Verdict.OK, Verdict.DEPLOYING)]
    good = [one for one in health.findings if one not in bad]
    verdict = health.verdict
    issue = health.issue
    if health.issue_failure:
        issue = f"⚠️ The issue could not be updated: {health.issue_failure}"
    parts = [f"{ICONS[verdict]} **{_HEADS[verdict]}** {issue}".strip(), as_table(bad) if bad else ""]
    if good:
        summary = f"{len(good)} checks passed" if bad else f"All {len(good)} checks"
        parts.append(f"<details><summary>{summary}</summary>\n\n{as_table(good)}\n\n</details>")
    return "\n\n".join(filter(None, [*parts, chart.as_markdown(health.history)]))
