"""What was seen in earlier runs: a file with a JSON object a line, the newest last.

It holds numbers and names of checks, nothing of where the endpoint is: whoever may read a repository may read its
caches, too.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from pennyworth.checks.finding import Finding, Verdict, overall

ENTRIES = 540
"""How many are kept: 90 days of a run every four hours."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A run."""

    at: str
    """When, as ISO 8601 in UTC."""
    verdict: str
    wrong: tuple[str, ...] = ()
    """The checks that found something unhealthy."""
    up: bool | None = None
    """Whether the endpoint answered as it should; None where it was not tried."""
    first_ms: float | None = None
    """After how many milliseconds it answered first, a cold start included."""
    requests: float | None = None
    """How many its users sent in the hours before."""
    error_percent: float | None = None
    """How many of them failed."""
    p95_ms: float | None = None
    """What one in twenty took longer than."""

    @property
    def time(self) -> datetime:
        """When."""
        return datetime.fromisoformat(self.at)


def entry(findings: Sequence[Finding], now: datetime) -> Entry:
    """What is kept of a run."""
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
    """The names of the checks that found something unhealthy, each once, in order."""
    return tuple(dict.fromkeys(finding.check for finding in findings if finding.verdict == Verdict.UNHEALTHY))


def read(path: Path) -> list[Entry]:
    """The runs in a file, oldest first; none where there is no file. A line that is none of ours is passed over."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if one := _entry(line):
            found.append(one)
    return found


def write(path: Path, entries: Sequence[Entry]) -> None:
    """Keep the newest ENTRIES runs."""
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
