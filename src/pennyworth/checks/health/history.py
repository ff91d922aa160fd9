"""Keeps the results of earlier runs in a file with one JSON object per line, the newest last.

The file contains numbers and names of checks, but nothing about where the endpoint is: everyone who may read
the repository may also read its caches.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from pennyworth.checks.finding import Finding, Verdict, overall

ENTRIES = 540
"""The number of runs to keep: 90 days of a run every four hours."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The results of one run."""

    at: str
    """The time of the run, as ISO 8601 in UTC."""
    verdict: str
    wrong: tuple[str, ...] = ()
    """The checks that found something unhealthy."""
    up: bool | None = None
    """Whether the endpoint answered as it should; None if it was not tested."""
    first_ms: float | None = None
    """Milliseconds until the first answer, including a cold start."""
    requests: float | None = None
    """The number of requests in the hours before the run."""
    error_percent: float | None = None
    """The percentage of requests that failed."""
    p95_ms: float | None = None
    """The p95 latency in milliseconds."""

    @property
    def time(self) -> datetime:
        """The time of the run."""
        return datetime.fromisoformat(self.at)


def entry(findings: Sequence[Finding], now: datetime) -> Entry:
    """Return the entry for a run's findings."""
    figures: dict[str, float] = {}
    for finding in findings:
        figures.update(finding.figures)
    up = figures.pop("up", None)
    return Entry(
        at=now.astimezone(UTC).isoformat(timespec="seconds"),
        verdict=str(overall(findings)),
        wrong=wrong(findings),
        up=None if up is None else bool(up),
        **figures,
    )


def wrong(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the names of the checks that found something unhealthy, each once, in order."""
    return tuple(dict.fromkeys(finding.check for finding in findings if finding.verdict == Verdict.UNHEALTHY))


def read(path: Path) -> list[Entry]:
    """Read the runs in a file, oldest first. Skips invalid lines; a missing file is empty."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if one := _entry(line):
            found.append(one)
    return found


def write(path: Path, entries: Sequence[Entry]) -> None:
    """Write the newest ENTRIES runs to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = entries[-ENTRIES:]
    path.write_text("".join(f"{json.dumps(asdict(one))}\n" for one in kept), encoding="utf-8")


def _entry(line: str) -> Entry | None:
    names = {one.name for one in fields(Entry)}
    try:
        told = json.loads(line)
        one = Entry(**{name: value for name, value in told.items() if name in names})
        if one.time.tzinfo is None or one.verdict not in set(Verdict):
            return None
    except (ValueError, TypeError, AttributeError):
        return None
    return Entry(**{**asdict(one), "wrong": tuple(one.wrong)})
