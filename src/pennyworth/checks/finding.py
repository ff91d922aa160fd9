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
    """It works, but somebody should have a look."""
    WRONG = "wrong"
    """A set-up is not as it must be."""
    UNHEALTHY = "unhealthy"
    """An endpoint does not serve as it should."""
    DEPLOYING = "deploying"
    """A deployment is at work: what else is seen meanwhile says nothing."""


MARKS = {
    Verdict.OK: "✓",
    Verdict.UNKNOWN: "?",
    Verdict.WARNING: "!",
    Verdict.WRONG: "✗",
    Verdict.UNHEALTHY: "✗",
    Verdict.DEPLOYING: "…",
}
ICONS = {
    Verdict.OK: "✅",
    Verdict.UNKNOWN: "❔",
    Verdict.WARNING: "⚠️",
    Verdict.WRONG: "❌",
    Verdict.UNHEALTHY: "❌",
    Verdict.DEPLOYING: "🚧",
}

_WORST_FIRST = (
    Verdict.DEPLOYING,
    Verdict.UNHEALTHY,
    Verdict.WRONG,
    Verdict.WARNING,
    Verdict.OK,
    Verdict.UNKNOWN,
)
_NAME_WIDTH = 19
_INDENT = " " * (_NAME_WIDTH + 3)

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    verdict: Verdict
    seen: str
    """What was seen, with {names} in the place of `values`."""
    fix: str = ""
    """What to do next, in a sentence."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What AWS or a setting calls something. From strangers it may have to be hidden, unlike the words around it."""
    figures: Figures = field(default_factory=dict)
    """What a history keeps of it."""
    check: str = ""
    """The check's name, which whoever runs the checks adds."""

    @property
    def detail(self) -> str:
        """What was seen."""
        return self.seen.format(**self.values) if self.values else self.seen

    def hiding(self, secrets: Sequence[str]) -> "Finding":
        """The same with *** in the place of each secret."""
        return replace(self, values=masked(self.values, secrets))


Findings = Iterator[Finding]
"""What a check yields."""


def ok(seen: str, figures: Figures | None = None, **values: str) -> Finding:
    """All is well."""
    return Finding(Verdict.OK, seen, "", values, figures or {})


def unknown(seen: str, fix: str = "", **values: str) -> Finding:
    """It can't be told."""
    return Finding(Verdict.UNKNOWN, seen, fix, values)


def warning(seen: str, fix: str, figures: Figures | None = None, **values: str) -> Finding:
    """Somebody should have a look."""
    return Finding(Verdict.WARNING, seen, fix, values, figures or {})


def wrong(seen: str, fix: str) -> Finding:
    """A set-up is not as it must be."""
    return Finding(Verdict.WRONG, seen, fix)


def unhealthy(seen: str, fix: str, figures: Figures | None = None, **values: str) -> Finding:
    """An endpoint does not serve as it should."""
    return Finding(Verdict.UNHEALTHY, seen, fix, values, figures or {})


def overall(findings: Iterable[Finding]) -> Verdict:
    """What findings mean together: the worst of them; unknown where nothing could be found out."""
    verdicts = {finding.verdict for finding in findings}
    return next((verdict for verdict in _WORST_FIRST if verdict in verdicts), Verdict.UNKNOWN)


def strict(finding: Finding) -> Finding:
    """A finding whose warning counts as unhealthy."""
    return replace(finding, verdict=Verdict.UNHEALTHY) if finding.verdict == Verdict.WARNING else finding


def line(finding: Finding, most: int | None = None) -> str:
    """A finding as a person reads it in a terminal.

    Args:
        finding: the finding.
        most: how many further lines are shown of one that has many; all by default.
    """
    first, *rest = finding.detail.splitlines() or [""]
    if most is not None and len(rest) > most:
        rest = [*rest[:most], f"... {len(rest) - most} more lines (--json shows all)"]
    lines = [f"{MARKS[finding.verdict]} {finding.check:<{_NAME_WIDTH}} {first}"]
    lines += [f"{_INDENT}{one}" for one in rest]
    lines += [f"{_INDENT}→ {finding.fix}"] if finding.fix else []
    return "\n".join(lines)


def as_table(findings: Iterable[Finding]) -> str:
    """Findings as a Markdown table, the worst first."""
    return table(
        ("", "check", "what was seen", "what to do"),
        [
            (ICONS[finding.verdict], finding.check, finding.detail, finding.fix)
            for finding in sorted(findings, key=lambda one: _WORST_FIRST.index(one.verdict))
        ],
    )


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as data: check, verdict, detail, fix, figures."""
    return [
        {
            "check": finding.check,
            "verdict": str(finding.verdict),
            "detail": finding.detail,
            "fix": finding.fix,
            "figures": dict(finding.figures),
        }
        for finding in findings
    ]
