"""What a check found, and what all of them together mean."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pennyworth.github.actions import table
from pennyworth.github.masking import masked


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

_WORST_FIRST = (Verdict.DEPLOYING, Verdict.UNHEALTHY, Verdict.WARNING, Verdict.OK, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Said:
    """What a check says."""

    verdict: Verdict
    said: str
    """What was seen, with {names} in the place of `values`."""
    mend: str = ""
    """What to do next, in a sentence."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What AWS or a setting calls something. From strangers it may have to be hidden, unlike the words around it."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the history keeps of it, by the names of history.Entry."""

    @property
    def detail(self) -> str:
        """What was seen."""
        return self.said.format(**self.values) if self.values else self.said

    def hiding(self, secrets: Sequence[str]) -> "Said":
        """The same with *** in the place of each secret."""
        return replace(self, values=masked(self.values, secrets))


Saying = Iterator[Said]
Figures = Mapping[str, float]


def ok(said: str, figures: Figures | None = None, **values: str) -> Said:
    """All is well."""
    return Said(Verdict.OK, said, "", values, figures or {})


def unknown(said: str, mend: str = "", **values: str) -> Said:
    """It can't be told."""
    return Said(Verdict.UNKNOWN, said, mend, values)


def warning(said: str, mend: str, figures: Figures | None = None, **values: str) -> Said:
    """Somebody should have a look."""
    return Said(Verdict.WARNING, said, mend, values, figures or {})


def unhealthy(said: str, mend: str, figures: Figures | None = None, **values: str) -> Said:
    """Something is wrong."""
    return Said(Verdict.UNHEALTHY, said, mend, values, figures or {})


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
    if finding.verdict != Verdict.WARNING:
        return finding
    return replace(finding, said=replace(finding.said, verdict=Verdict.UNHEALTHY))


def line(finding: Finding) -> str:
    """A finding as a person reads it in a terminal."""
    first, *rest = finding.said.detail.splitlines() or [""]
    lines = [f"{MARKS[finding.verdict]} {finding.check:<19} {first}", *(f"{'':<22}{one}" for one in rest)]
    return "\n".join([*lines, *([f"{'':<22}→ {finding.said.mend}"] if finding.said.mend else [])])


def as_table(findings: Iterable[Finding]) -> str:
    """Findings as a Markdown table, the worst first."""
    return table(
        ("", "check", "what was seen", "what to do"),
        [
            (ICONS[finding.verdict], finding.check, finding.said.detail, finding.said.mend)
            for finding in sorted(findings, key=lambda one: _WORST_FIRST.index(one.verdict))
        ],
    )


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as data: check, verdict, detail, mend, figures."""
    return [
        {
            "check": finding.check,
            "verdict": str(finding.verdict),
            "detail": finding.said.detail,
            "mend": finding.said.mend,
            "figures": dict(finding.said.figures),
        }
        for finding in findings
    ]
