"""What the health check tells: the issue's life, the history and its bound, the chart, and what is hidden."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pennyworth.checks.finding import (
    Finding,
    Verdict,
    as_json,
    ok,
    overall,
    strict,
    unhealthy,
    unknown,
    warning,
)
from pennyworth.checks.health import chart, history, issue
from pennyworth.checks.health.history import Entry
from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.local.github import FakeGitHub

NOW = datetime(2026, 11, 25, 18, 17, tzinfo=UTC)


def named(check: str, finding: Finding) -> Finding:
    """What the check of a name found."""
    return replace(finding, check=check)


WELL = (named("stack", ok("UPDATE_COMPLETE")), named("endpoint", ok("fine", {"up": 1, "first_ms": 812})))


def test_the_worst_finding_is_what_they_mean_together() -> None:
    one = {verdict: named("one", Finding(verdict, "")) for verdict in Verdict}
    assert overall([]) == Verdict.UNKNOWN
    assert overall([one[Verdict.UNKNOWN]]) == Verdict.UNKNOWN
    assert overall([one[Verdict.UNKNOWN], one[Verdict.OK]]) == Verdict.OK
    assert overall([one[Verdict.WARNING], one[Verdict.OK]]) == Verdict.WARNING
    assert overall([one[Verdict.WARNING], one[Verdict.UNHEALTHY]]) == Verdict.UNHEALTHY
    assert overall([one[Verdict.DEPLOYING], one[Verdict.UNHEALTHY]]) == Verdict.DEPLOYING


def test_strictly_a_warning_is_unhealthy() -> None:
    assert strict(named("one", warning("w", "fix"))) == named("one", unhealthy("w", "fix"))
    assert strict(WELL[0]) is WELL[0]


def test_findings_are_data() -> None:
    assert as_json(WELL[1:]) == [
        {
            "check": "endpoint",
            "verdict": "ok",
            "detail": "fine",
            "fix": "",
            "figures": {"up": 1, "first_ms": 812},
        }
    ]


def test_a_run_is_a_line_of_numbers_and_names_of_checks() -> None:
    bad = named(
        "endpoint", unhealthy("{failed}", "Look.", {"up": 0}, failed="https://api.example.com is down")
    )
    counted = named("traffic", ok("a few", {"requests": 12, "error_percent": 0.0}))
    assert history.entry([WELL[0], bad, counted], NOW) == Entry(
        at="2026-11-25T18:17:00+00:00",
        verdict="unhealthy",
        wrong=("endpoint",),
        up=False,
        requests=12,
        error_percent=0.0,
    )
    assert "example" not in repr(history.entry([bad], NOW))


def test_the_history_keeps_the_newest_runs_and_no_more(tmp_path: Path) -> None:
    file = tmp_path / "some" / "history.jsonl"
    assert history.read(file) == []
    entries = [Entry((NOW + timedelta(hours=number)).isoformat(), "ok") for number in range(700)]
    history.write(file, entries)
    assert history.read(file) == entries[-history.ENTRIES :]
    assert len(file.read_text().splitlines()) == history.ENTRIES


def test_lines_that_are_none_of_ours_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    good = {"at": NOW.isoformat(), "verdict": "ok", "wrong": ["one"], "later": "than this version"}
    bad = ["", "{", "[]", '{"at": "now", "verdict": "ok"}', json.dumps({**good, "verdict": "fine"})]
    bad += [json.dumps({**good, "at": "2026-11-25T18:17:00"}), json.dumps({**good, "at": 7})]
    file.write_text("\n".join([*bad, json.dumps(good), "\N{REPLACEMENT CHARACTER}"]))
    assert history.read(file) == [Entry(NOW.isoformat(), "ok", ("one",))]


def runs(days: float, every: float = 4.0, **figures: Any) -> list[Entry]:
    number = round(days * 24 / every)
    return [
        Entry((NOW - timedelta(hours=every * (number - run))).isoformat(), "ok", **{"up": True, **figures})
        for run in range(1, number + 1)
    ]


def plots(markdown: str) -> dict[str, dict[str, Any]]:
    """Mermaid's charts by their titles: the labels below, the values, and where the axis ends."""
    found = {}
    for block in re.findall(r"```mermaid\n(.*?)\n```", markdown, re.DOTALL):
        title = re.search(r'title "(.*)"', block)
        labels = re.search(r"x-axis \[(.*)\]", block)
        values = re.search(r"^  (line|bar) \[(.*)\]", block, re.MULTILINE)
        top = re.search(r"y-axis 0 --> (\S+)$", block, re.MULTILINE)
        assert title and labels and values and top
        # a number with an exponent is none to Mermaid
        numbers = values[2].split(", ")
        assert all(re.fullmatch(r"\d+(\.\d+)?", number) for number in [*numbers, top[1]])
        found[title[1]] = {
            "labels": [label.strip('"') for label in labels[1].split(", ")],
            "values": [float(number) for number in numbers],
            "top": float(top[1]),
        }
    return found


def test_nothing_is_drawn_of_nothing() -> None:
    assert chart.as_markdown([]) == ""
    assert plots(chart.as_markdown(runs(0.17, first_ms=800))) == {}  # one dot is no chart


def test_a_few_days_are_drawn_run_by_run() -> None:
    drawn = plots(chart.as_markdown(runs(1.5, first_ms=800, p95_ms=123456)))
    first = drawn["Time to the first answer, ms"]
    assert first["labels"][-2:] == ["Wed 14:17", "Wed 18:17"]
    assert first["values"] == [800.0] * 9
    assert drawn["p95 latency, s"]["values"][0] == 123
    assert all(max(one["values"]) <= one["top"] for one in drawn.values())


def test_many_days_are_drawn_day_by_day_and_no_label_comes_twice() -> None:
    entries = runs(90, first_ms=800)
    (drawn,) = plots(chart.as_markdown(entries)).values()
    assert len(drawn["labels"]) == len(set(drawn["labels"])) == len(drawn["values"]) == 28
    assert drawn["labels"][-1] == "25"
    for days in range(28, 366):  # whatever the month
        moved = [Entry((one.time + timedelta(days=days)).isoformat(), "ok", first_ms=1) for one in entries]
        (drawn,) = plots(chart.as_markdown(moved)).values()
        assert len(set(drawn["labels"])) == 28


def test_a_days_worst_is_what_is_drawn() -> None:
    entries = runs(10, p95_ms=1000)
    entries[-2] = Entry(entries[-2].at, "ok", p95_ms=9000, up=True)
    (drawn,) = plots(chart.as_markdown(entries)).values()
    assert drawn["values"][-1] == 9 and drawn["values"][-2] == 1


def squares(markdown: str) -> str:
    (row,) = re.findall(r"^\| Mon<br>.*$", markdown, re.MULTILINE)
    return row


def test_a_square_a_day_shows_the_worst_of_it() -> None:
    entries = runs(20)
    entries[3] = Entry(entries[3].at, "unhealthy", ("endpoint",), up=False)
    del entries[60:66]
    drawn = chart.as_markdown(entries)
    assert squares(drawn).count("🟥") == 1
    assert squares(drawn).count("⬜") <= 1
    assert 18 <= squares(drawn).count("🟩") <= 20
    assert drawn.startswith("**99.12 % available** in 20 days: 113 of 114 runs found it answering, 1 did not")


def test_where_the_endpoint_was_never_tried_nothing_is_said_of_its_being_there() -> None:
    deploying = [Entry(NOW.isoformat(), "deploying")] * 2
    assert chart.as_markdown(deploying).startswith("**2 runs**")
    assert squares(chart.as_markdown(deploying)).count("🟦") == 1


@pytest.mark.parametrize("findings", [[named("traffic", unknown("?"))], WELL])
def test_a_history_outlives_what_it_is_read_into(tmp_path: Path, findings: Sequence[Finding]) -> None:
    file = tmp_path / "history.jsonl"
    for _ in range(3):
        history.write(file, [*history.read(file), history.entry(findings, NOW)])
    assert history.read(file) == [history.entry(findings, NOW)] * 3


# --- the issue --------------------------------------------------------------------------------------------------------

REPOSITORY = "octo/endpoint"
HIDDEN = ["endpoint", "us-west-2", "123456789012", "api.example.com", "example.com"]
DOWN = named(
    "endpoint", unhealthy("{failed}", "Look into the log.", failed="health: https://api.example.com is down")
)
ALARM = named(
    "alarms", unhealthy("{alarm} is in ALARM", "There are too many errors.", alarm="endpoint-errors")
)
ODD = named("drift", warning("changed by hand", "Undo it."))


@pytest.fixture
def github(tmp_path: Path) -> Iterator[FakeGitHub]:
    with FakeGitHub(REPOSITORY, tmp_path / "commits.git") as running:
        yield running


def kept(
    github: FakeGitHub,
    *findings: Finding,
    hours: float = 0,
    name: str = "",
    hidden: Sequence[str] = HIDDEN,
) -> str:
    """A run with these findings, some hours later."""
    token = github.grant({"issues": "write"})
    report = issue.Report(findings, NOW + timedelta(hours=hours), hidden, name, "https://github.com/run/1")
    return issue.keep(GitHub(REPOSITORY, token, github.api_url), report)


def test_where_all_is_well_nothing_is_said(github: FakeGitHub) -> None:
    assert kept(github, *WELL) == kept(github, *WELL, ODD) == ""
    assert github.issues == {}


def test_an_issue_lives_as_long_as_something_is_wrong(github: FakeGitHub) -> None:
    assert kept(github, WELL[0], DOWN, ODD) == "Opened issue #1."
    opened = github.issues[1]
    assert opened["title"] == "The endpoint is unhealthy"
    assert [label["name"] for label in opened["labels"]] == [issue.LABEL]
    assert "Since 25 November 2026, 18:17 UTC" in opened["body"]
    assert "| ❌ | endpoint | health: https://*** is down | Look into the log. |" in opened["body"]
    assert "| ⚠️ | drift |" in opened["body"] and "UPDATE_COMPLETE" in opened["body"]

    # the same again: the text is renewed, nobody is bothered
    assert kept(github, DOWN, hours=4) == "Issue #1 is open."
    assert "last seen 25 November 2026, 22:17 UTC" in github.issues[1]["body"]
    assert "Since 25 November 2026, 18:17 UTC" in github.issues[1]["body"]
    assert github.bodies(1) == []

    # something else
    kept(github, DOWN, ALARM, hours=8)
    kept(github, ALARM, hours=12)
    kept(github, ALARM, hours=16)
    assert github.bodies(1) == [
        "The problems have changed:\n\n- ❌ alarms: ***-errors is in ALARM",
        "The problems have changed:\n\n- ✅ endpoint",
    ]

    # a deployment says nothing, and what can't be seen is not well
    deploying = named("stack", Finding(Verdict.DEPLOYING, "a deployment is in progress"))
    assert kept(github, deploying, hours=17) == ""
    blind = named("alarms", unknown("AWS refused"))
    assert "stays open" in kept(github, WELL[0], blind, hours=18)
    assert github.issues[1]["state"] == "open" and len(github.bodies(1)) == 2

    # recovered, though with a warning
    assert kept(github, *WELL, ODD, hours=20.5) == "Closed issue #1."
    assert (github.issues[1]["state"], github.issues[1]["state_reason"]) == ("closed", "completed")
    assert github.bodies(1)[2:] == ["Healthy again after 20 hours and 30 minutes: alarms."]

    # and the next time it is another one
    assert kept(github, DOWN, hours=40) == "Opened issue #2."
    assert len(github.issues) == 2


def test_nothing_that_is_hidden_is_ever_said(github: FakeGitHub) -> None:
    wrong = named(
        "passrole",
        unhealthy(
            "the deploy role can also pass {role} to {service}: {because}",
            "Narrow that policy.",
            role="arn:aws:iam::123456789012:role/endpoint-FunctionRole-1",
            service="ec2.us-west-2.amazonaws.com",
            because="endpoint-extra at example.com",
        ),
    )
    kept(github, wrong, name="live")
    kept(github, wrong, ALARM, DOWN, name="live", hours=1)
    kept(github, *WELL, name="live", hours=2)
    said = [github.issues[1]["title"], github.issues[1]["body"], *github.bodies(1)]
    said = [text.replace("https://github.com/run/1", "") for text in said]
    # the words around are everybody's: what is called `endpoint` like the check can't be told from it
    for value in HIDDEN[1:]:
        assert value not in "\n".join(said)
    assert "endpoint-" not in "\n".join(said)
    assert "arn:aws:iam::***:role/***-FunctionRole-1" in said[1]


def test_each_endpoint_of_a_repository_has_an_issue_of_its_own(github: FakeGitHub) -> None:
    kept(github, DOWN, name="live")
    kept(github, DOWN, name="staging")
    kept(github, *WELL, name="staging", hours=1)
    assert [(one["title"], one["state"]) for one in github.issues.values()] == [
        ("The endpoint (live) is unhealthy", "open"),
        ("The endpoint (staging) is unhealthy", "closed"),
    ]


def test_a_name_can_not_end_the_comment_that_it_stands_in(github: FakeGitHub) -> None:
    name = "a --> b"
    kept(github, DOWN, name=name)
    assert "Issue #1 is open." in kept(github, DOWN, name=name)
    assert github.issues[1]["body"].partition("\n")[0].count("-->") == 1


def test_what_others_write_is_left_alone(github: FakeGitHub) -> None:
    github.open_issue("Mine", "<!-- pennyworth-health-check {} -->", (issue.LABEL,))
    github.open_issue("Mine, too", "<!-- pennyworth-health-check not JSON -->", (issue.LABEL,))
    kept(github, DOWN)
    kept(github, *WELL, hours=1)
    assert [one["state"] for one in github.issues.values()] == ["open", "open", "closed"]


def test_without_the_permission_it_says_which(github: FakeGitHub) -> None:
    token = github.grant({"contents": "read"})
    with pytest.raises(GitHubFailed, match="403"):
        issue.keep(GitHub(REPOSITORY, token, github.api_url), issue.Report([DOWN], NOW, HIDDEN))


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=10), "1 minute"),
        (timedelta(minutes=61), "1 hour and 1 minute"),
        (timedelta(hours=49, minutes=5), "2 days and 1 hour"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_how_long_it_lasted_is_said_in_words(length: timedelta, words: str) -> None:
    assert issue.duration(length) == words
