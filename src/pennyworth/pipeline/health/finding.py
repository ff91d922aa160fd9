"""What a check found, and what all of them together mean."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from pennyworth.pipeline.workflow import table


class Verdict(StrEnum):
    """How a check, or a whole run, came out."""

    OK = "ok"
    UNKNOWN = "unknown"
    """It could not be found out. Says nothing about the endpoint."""
    WARNING = "warning"
    """It answers, but somebody should have a look."""
    UNHEALTHY = "unhealthy"
    DEPLOYING = "deploying"
    """A deployment is at work: what else is seen meanwhile says nothing."""


MARKS = {
    Verdict.OK: "✓",
    Verdict.UNKNOWN: "?",
    Verdict.WARNING: "!",
    Verdict.UNHEALTHY: "✗",
    Verdict.DEPLOYING: "…",
}
ICONS = {
    Verdict.OK: "✅",
    Verdict.UNKNOWN: "❔",
    Verdict.WARNING: "⚠️",
    Verdict.UNHEALTHY: "❌",
    Verdict.DEPLOYING: "🚧",
}

_WORST_FIRST = (Verdict.DEPLOYING, Verdict.UNHEALTHY, Verdict.WARNING, Verdict.OK)


@dataclass(frozen=True, slots=True)
class Said:
    """What a check says."""

    verdict: Verdict
    detail: str
    """What was seen."""
    mend: str = ""
    """What to do next, in a sentence."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the history keeps of it, by the names of history.Entry."""


Saying = Iterator[Said]


def ok(detail: str, **figures: float) -> Said:
    """All is well."""
    return Said(Verdict.OK, detail, figures=figures)


def unknown(detail: str, mend: str = "") -> Said:
    """It can't be told."""
    return Said(Verdict.UNKNOWN, detail, mend)


def warning(detail: str, mend: str, **figures: float) -> Said:
    """Somebody should have a look."""
    return Said(Verdict.WARNING, detail, mend, figures)


def unhealthy(detail: str, mend: str, **figures: float) -> Said:
    """Something is wrong."""
    return Said(Verdict.UNHEALTHY, detail, mend, figures)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the check of a name said."""

    check: str
    said: Said

    @property
    def verdict(self) -> Verdict:
        """How it came out."""
        return self.said.verdict


def overall(findings: Iterable[Finding]) -> Verdict:
    """What findings mean together: the worst of them; unknown where nothing could be found out."""
    seen = {finding.verdict for finding in findings}
    return next((verdict for verdict in _WORST_FIRST if verdict in seen), Verdict.UNKNOWN)


def strict(finding: Finding) -> Finding:
    """A finding whose warning counts as unhealthy."""
    said = finding.said
    if said.verdict != Verdict.WARNING:
        return finding
    return Finding(finding.check, Said(Verdict.UNHEALTHY, said.detail, said.mend, said.figures))


def line(finding: Finding) -> str:
    """A finding as a person reads it in a terminal."""
    first, *rest = finding.said.detail.splitlines() or [""]
    lines = [f"{MARKS[finding.verdict]} {finding.check:<19} {first}", *(f"{'':<22}{one}" for one in rest)]
    return "\n".join([*lines, *([f"{'':<22}→ {finding.said.mend}"] if finding.said.mend else [])])


def as_table(findings: Iterable[Finding]) -> str:
    """Findings as a Markdown table."""
    return table(
        ("", "check", "what was seen", "what to do"),
        [
            (ICONS[finding.verdict], finding.check, finding.said.detail, finding.said.mend)
            for finding in findings
        ],
    )


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as data: check, verdict, detail, mend, figures."""
    return [{"check": finding.check, **asdict(finding.said)} for finding in findings]
