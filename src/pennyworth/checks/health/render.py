"""How an endpoint is, for a job's summary."""

from pennyworth.checks.finding import ICONS, Verdict, as_table
from pennyworth.checks.health import chart
from pennyworth.checks.health.examination import Health

_HEADS = {
    Verdict.OK: "All is well.",
    Verdict.WARNING: "It answers, but have a look.",
    Verdict.DEPLOYING: "A deployment is at work: what is seen meanwhile would say nothing.",
    Verdict.UNKNOWN: "Nothing could be found out.",
    Verdict.UNHEALTHY: "Something is wrong.",
}


def as_markdown(health: Health) -> str:
    """What was seen, what is wrong first, and what was seen before."""
    bad = [one for one in health.findings if one.verdict not in (Verdict.OK, Verdict.DEPLOYING)]
    good = [one for one in health.findings if one not in bad]
    verdict = health.verdict
    issue = health.issue
    if health.issue_failure:
        issue = f"⚠️ The issue could not be kept: {health.issue_failure}"
    parts = [f"{ICONS[verdict]} **{_HEADS[verdict]}** {issue}".strip(), as_table(bad) if bad else ""]
    if good:
        summary = f"{len(good)} checks without fault" if bad else f"All {len(good)} checks"
        parts.append(f"<details><summary>{summary}</summary>\n\n{as_table(good)}\n\n</details>")
    return "\n\n".join(filter(None, [*parts, chart.as_markdown(health.history)]))
