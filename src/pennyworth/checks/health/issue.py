"""The one issue at GitHub that is open for as long as something is wrong.

Issues of a public repository are public, and GitHub masks no secret in them: findings are `hiding` them before one is
written.
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
    """What the issue remembers, in a comment that is not shown."""

    name: str
    """Which endpoint it is about, where a repository has several."""
    since: str
    """When it went wrong, as ISO 8601."""
    wrong: tuple[str, ...]
    """The checks that found something unhealthy when it was last looked at."""

    def hidden(self) -> str:
        """How it stands in the issue."""
        told = {"name": self.name, "since": self.since, "wrong": list(self.wrong)}
        return f"<!-- pennyworth-health-check {json.dumps(told).replace('>', chr(92) + 'u003e')} -->"

    @classmethod
    def of(cls, body: str) -> "State | None":
        """What an issue remembers; None where it is not ours."""
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
    """What a run has to tell."""

    findings: Sequence[Finding]
    now: datetime
    hidden: Sequence[str]
    """What the issue must not hold."""
    name: str = ""
    """Which endpoint it is, where a repository has several. Public."""
    run_url: str = ""
    """The run's page."""

    @property
    def shown(self) -> list[Finding]:
        """The findings as strangers may read them."""
        return [one.hiding(self.hidden) for one in self.findings]

    @property
    def title(self) -> str:
        """The issue's title."""
        return f"The endpoint{f' ({self.name})' if self.name else ''} is unhealthy"


def keep(github: GitHub, report: Report) -> str:
    """Open, update or close the issue, as a run's findings ask for.

    Args:
        github: the repository.
        report: the run's.
    Returns:
        what was done, in words; empty where nothing was to do.
    Raises:
        GitHubFailed: GitHub refused.
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
            told.append(f"Issue #{number} stays open: what was wrong can't be seen now.")
            continue
        _recovered(github, report, number, state)
        told.append(f"Issue #{number} is closed.")
    return " ".join(told)


def _open(github: GitHub, name: str) -> list[tuple[int, State]]:
    """Our open issues, oldest first, by number and what they remember; mostly one or none."""
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
        return f"Issue #{issue['number']} is opened."
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
    said = "\n".join(["What is wrong has changed:", "", *new, *gone])
    github.call("POST", f"/issues/{number}/comments", {"body": said})
    return f"Issue #{number} tells that something else is wrong."


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
        label = {"name": LABEL, "color": _LABEL_COLOUR, "description": "Kept by the health check"}
        github.call("POST", "/labels", label)


def _body(report: Report, state: State) -> str:
    since = datetime.fromisoformat(state.since)
    seen = f"last seen {_time(report.now)}"
    run = f" · [what the run saw]({report.run_url})" if report.run_url else ""
    bad = [one for one in report.shown if one.verdict in (Verdict.UNHEALTHY, Verdict.WARNING)]
    rest = [one for one in report.shown if one not in bad]
    parts = [
        f"Since {_time(since)} · {seen}{run}",
        as_table(bad),
        f"<details><summary>The other checks</summary>\n\n{as_table(rest)}\n\n</details>" if rest else "",
        "_The health check keeps this text up to date, comments when something else goes wrong, and closes the issue"
        " once all is well. Where the endpoint is stands in the run's summary, not here._",
    ]
    text = "\n\n".join(filter(None, parts))
    return f"{state.hidden()}\n{text}"


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%d %B %Y, %H:%M} UTC".lstrip("0")


def duration(length: timedelta) -> str:
    """A length of time in words."""
    minutes = max(round(length.total_seconds() / 60), 1)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts: Mapping[str, Any] = {"day": days, "hour": hours, "minute": minutes}
    named = [f"{count} {unit}{'s' if count > 1 else ''}" for unit, count in parts.items() if count]
    return " and ".join(named[:2])
