"""Collects what a job's steps have to report, so that its summary can begin with the result.

GitHub shows the summaries of a job's steps in the order of the steps. So once a job's first step has called `begin`,
those after it only record their reports, and the last one writes them all.
"""

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pennyworth.github import actions

_FILE = "pennyworth-report.jsonl"
_CELLS = 20
_OTHERS = "signing in, and between the steps"


@dataclass(frozen=True, slots=True)
class Report:
    """What a step returns that has more to say than a section of the summary."""

    text: str = ""
    """Its section of the summary, in Markdown; empty for none."""
    headline: str = ""
    """What happened, in a few words: the summary of a whole job begins with the last one."""
    place: str = ""
    """Where it happened, in Markdown. The last one counts."""


@dataclass(frozen=True, slots=True)
class Part:
    """A step's report, and how the step went."""

    title: str
    began: float
    """When it began, in seconds since 1970."""
    seconds: float
    """How long it took, with the making of its environment."""
    passed: bool
    report: Report

    @property
    def name(self) -> str:
        """Its title, marked as passed or failed."""
        return f"{'✅' if self.passed else '❌'} {self.title}"

    def as_markdown(self) -> str:
        """Render its section."""
        return f"### {self.name} ({actions.duration(self.seconds)})\n\n{self.report.text}"


def begin() -> None:
    """Have the job's steps record their parts, until `finish`. Outside GitHub Actions, does nothing."""
    if file := _file():
        file.write_text("")


def add(part: Part) -> None:
    """Record a part if the job has begun to; else write it to the step's own summary, if it has a text."""
    file = _file()
    if file and file.exists():
        with file.open("a", encoding="utf-8") as log:
            print(json.dumps(asdict(part)), file=log)
    elif part.report.text:
        actions.summary(part.as_markdown())


def finish() -> list[Part]:
    """Return the recorded parts in their order, and record no more."""
    file = _file()
    if not file or not file.exists():
        return []
    lines = file.read_text("utf-8").splitlines()
    file.unlink()
    return [Part(**{**entry, "report": Report(**entry["report"])}) for entry in map(json.loads, lines)]


def as_markdown(parts: Sequence[Part], results: Sequence[str], otherwise: str) -> str:
    """Render a job's summary: what happened, where, how long it took; then each part, and all times.

    Args:
        parts: what its steps have reported, at least one.
        results: the titles of the parts to show first. What failed comes before them.
        otherwise: the headline if no step has one.
    """
    failed = [part for part in parts if not part.passed]
    total = time.time() - parts[0].began
    headline = _last(part.report.headline for part in failed[:1] or parts) or otherwise
    facts = [
        _last(part.report.place for part in parts),
        f"failed in *{failed[0].title}* after {actions.duration(total)}"
        if failed
        else actions.duration(total),
    ]
    first = [part for title in results for part in parts if part.title == title]
    ordered = dict.fromkeys([*failed, *first, *parts])
    return "\n\n".join(
        [
            f"## {'❌' if failed else '✅'} {headline}",
            " · ".join(filter(None, facts)),
            *(part.as_markdown() for part in ordered if part.report.text),
            f"### How long it took\n\n{_draw_times(parts, total)}",
        ]
    )


def _draw_times(parts: Sequence[Part], total: float) -> str:
    """Draw a table with bars, whose times add up to the total."""
    times = [(part.name, part.seconds) for part in parts]
    times.append((_OTHERS, max(total - sum(part.seconds for part in parts), 0)))
    longest = max(seconds for _, seconds in times) or 1.0
    rows = [
        (title, actions.duration(seconds), "█" * round(_CELLS * seconds / longest) or "▏")
        for title, seconds in times
    ]
    return actions.table(("step", "time", ""), [*rows, ("**total**", f"**{actions.duration(total)}**", "")])


def _last(texts: Iterable[str]) -> str:
    return next(iter([text for text in texts if text][::-1]), "")


def _file() -> Path | None:
    # the runner empties this folder before and after each job:
    # https://docs.github.com/actions/reference/workflows-and-actions/variables
    folder = os.environ.get("RUNNER_TEMP")
    return Path(folder, f"{os.environ.get('GITHUB_RUN_ID', '')}-{_FILE}") if folder else None
