"""Keeps one GitHub issue open while something is wrong.

Issues of a public repository are public, and GitHub does not mask secrets in them. So `Finding.hiding` masks
them first.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pennyworth.checks.finding import ICONS, Finding, Verdict, as_table, overall
from pennyworth.checks.health.history import wrong
from pennyworth.github.rest import GitHub, GitHubFailed

LABEL = "health-check"
_LABEL_COLOUR = "d93f0b"

_STATE = re.compile(r"<!-- pennyworth-health-check (\{.*?\}) -->")


@dataclass(frozen=True, slots=True)
class State:
    """What the issue stores in a hidden HTML comment."""

    name: str
    """The endpoint's name, if the repository has several."""
    since: str
    """When the problem started, as ISO 8601."""
    wrong: tuple[str, ...]
    """The checks that found something unhealthy in the last run."""

    def hidden(self) -> str:
        """Return the hidden comment for the issue."""
        told = {"name": self.name, "since": self.since, "wrong": list(self.wrong)}
        return f"<!-- pennyworth-health-check {json.dumps(told).replace('>', chr(92) + 'u003e')} -->"

    @classmethod
    def of(cls, body: str) -> "State | None":
        """Read the state from an issue's text; None if the issue is not ours."""
        if not (found := _STATE.search(body)):
            return None
        try:
            told = json.loads(found[1])
            datetime.fromisoformat(told["since"])
            return cls(str(told["name"]), str(told["since"]), tuple(map(str, told["wrong"])))
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Report:
    """A run's findings, for the issue."""

    findings: Sequence[Finding]
    now: datetime
    hidden: Sequence[str]
    """Values that must not appear in the issue."""
    name: str = ""
    """The endpoint's name, if the repository has several. Public."""
    run_url: str = ""
    """The URL of the workflow run."""

    @property
    def shown(self) -> list[Finding]:
        """The findings, with secrets masked."""
        return [one.hiding(self.hidden) for one in self.findings]

    @property
    def title(self) -> str:
        """The issue's title."""
        return f"The endpoint{f' ({self.name})' if self.name else ''} is unhealthy"


def keep(github: GitHub, report: Report) -> str:
    """Open, update or close the issue, depending on a run's findings.

    Args:
        github: the repository.
        report: the run's findings.
    Returns:
        what was done, in words. Empty if there was nothing to do.
    Raises:
        GitHubFailed: GitHub refused a request.
    """
    verdict = overall(report.findings)
    if verdict == Verdict.DEPLOYING:
        return ""
    open_ones = _open(github, report.name)
    if verdict == Verdict.UNHEALTHY:
        return _unhealthy(github, report, open_ones)
    unseen = {one.check for one in report.findings if one.verdict == Verdict.UNKNOWN}
    told = []
    for number, state in open_ones:
        if unseen.intersection(state.wrong):
            told.append(f"Issue #{number} stays open: this run could not check what was wrong.")
            continue
        _recovered(github, report, number, state)
        told.append(f"Closed issue #{number}.")
    return " ".join(told)


def _open(github: GitHub, name: str) -> list[tuple[int, State]]:
    """Return our open issues with their state, oldest first; usually one or none."""
    found = [
        (int(issue["number"]), state)
        for issue in github.pages("/issues", state="open", labels=LABEL)
        if "pull_request" not in issue and (state := State.of(issue.get("body") or ""))
    ]
    return sorted((number, state) for number, state in found if state.name == name)


def _unhealthy(github: GitHub, report: Report, open_ones: Sequence[tuple[int, State]]) -> str:
    now = wrong(report.findings)
    if not open_ones:
        _have_label(github)
        state = State(report.name, report.now.astimezone(UTC).isoformat(timespec="seconds"), now)
        body = {"title": report.title, "body": _body(report, state), "labels": [LABEL]}
        issue = github.call("POST", "/issues", body)
        return f"Opened issue #{issue['number']}."
    number, before = open_ones[0]
    state = State(before.name, before.since, now)
    github.call("PATCH", f"/issues/{number}", {"body": _body(report, state)})
    if set(before.wrong) == set(now):
        return f"Issue #{number} is open."
    gone = [f"- {ICONS[Verdict.OK]} {check}" for check in before.wrong if check not in now]
    new = [
        f"- {ICONS[Verdict.UNHEALTHY]} {one.check}: {' '.join(one.detail.split())}"
        for one in report.shown
        if one.verdict == Verdict.UNHEALTHY and one.check not in before.wrong
    ]
    said = "\n".join(["The problems have changed:", "", *new, *gone])
    github.call("POST", f"/issues/{number}/comments", {"body": said})
    return f"Updated issue #{number}: the problems have changed."


def _recovered(github: GitHub, report: Report, number: int, state: State) -> None:
    lasted = duration(report.now - datetime.fromisoformat(state.since))
    said = f"Healthy again after {lasted}: {', '.join(state.wrong)}."
    github.call("POST", f"/issues/{number}/comments", {"body": said})
    github.call("PATCH", f"/issues/{number}", {"state": "closed", "state_reason": "completed"})


def _have_label(github: GitHub) -> None:
    try:
        github.call("GET", f"/labels/{LABEL}")
    except GitHubFailed as failure:
        if failure.status != 404:
            raise
        label = {
            "name": LABEL,
            "color": _LABEL_COLOUR,
            "description": "Opened and closed by the health check",
        }
        github.call("POST", "/labels", label)


def _body(report: Report, state: State) -> str:
    since = datetime.fromisoformat(state.since)
    seen = f"last seen {_time(report.now)}"
    run = f" · [latest run]({report.run_url})" if report.run_url else ""
    bad = [one for one in report.shown if one.verdict in (Verdict.UNHEALTHY, Verdict.WARNING)]
    rest = [one for one in report.shown if one not in bad]
    parts = [
        f"Since {_time(since)} · {seen}{run}",
        as_table(bad),
        f"<details><summary>Other checks</summary>\n\n{as_table(rest)}\n\n</details>" if rest else "",
        "_The health check updates this text, comments when the problems change, and closes this issue when the"
        " endpoint is healthy again. For the endpoint's address, see the run's summary._",
    ]
    text = "\n\n".join(filter(None, parts))
    return f"{state.hidden()}\n{text}"


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%d %B %Y, %H:%M} UTC".lstrip("0")


def duration(length: timedelta) -> str:
    """Return a length of time in words, such as "2 hours and 5 minutes"."""
    minutes = max(round(length.total_seconds() / 60), 1)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts: Mapping[str, Any] = {"day": days, "hour": hours, "minute": minutes}
    named = [f"{count} {unit}{'s' if count > 1 else ''}" for unit, count in parts.items() if count]
    return " and ".join(named[:2])
