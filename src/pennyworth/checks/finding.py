"""The result of a check, and the overall result of several."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pennyworth.github.actions import table
from pennyworth.github.masking import masked


class Verdict(StrEnum):
    """The result of a check or of a whole run."""

    OK = "ok"
    UNKNOWN = "unknown"
    """The check could not be made."""
    WARNING = "warning"
    """It works, but needs attention."""
    WRONG = "wrong"
    """Something in the setup is wrong."""
    UNHEALTHY = "unhealthy"
    """The endpoint does not work as it should."""
    DEPLOYING = "deploying"
    """A deployment is in progress, so other findings would mean nothing."""


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
    """One result of a check."""

    verdict: Verdict
    seen: str
    """What the check found, with {names} as placeholders for `values`."""
    fix: str = ""
    """What to do next."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Names from AWS or from settings, which may have to be hidden in public places."""
    figures: Figures = field(default_factory=dict)
    """Numbers that the history keeps."""
    check: str = ""
    """The check's name, added by the code that runs the checks."""

    @property
    def detail(self) -> str:
        """What the check found, with the values filled in."""
        return self.seen.format(**self.values) if self.values else self.seen

    def hiding(self, secrets: Sequence[str]) -> "Finding":
        """Return a copy with *** in place of each secret."""
        return replace(self, values=masked(self.values, secrets))


Findings = Iterator[Finding]
"""The findings of a check."""


def ok(seen: str, figures: Figures | None = None, **values: str) -> Finding:
    """Return the finding of a passed check."""
    return Finding(Verdict.OK, seen, "", values, figures or {})


def unknown(seen: str, fix: str = "", **values: str) -> Finding:
    """Return the finding of a check that could not be made."""
    return Finding(Verdict.UNKNOWN, seen, fix, values)


def warning(seen: str, fix: str, figures: Figures | None = None, **values: str) -> Finding:
    """Return a finding that needs attention."""
    return Finding(Verdict.WARNING, seen, fix, values, figures or {})


def wrong(seen: str, fix: str) -> Finding:
    """Return the finding of a wrong setup."""
    return Finding(Verdict.WRONG, seen, fix)


def unhealthy(seen: str, fix: str, figures: Figures | None = None, **values: str) -> Finding:
    """Return the finding of an endpoint that does not work as it should."""
    return Finding(Verdict.UNHEALTHY, seen, fix, values, figures or {})


def overall(findings: Iterable[Finding]) -> Verdict:
    """Return the worst verdict; UNKNOWN if no check could be made."""
    verdicts = {finding.verdict for finding in findings}
    return next((verdict for verdict in _WORST_FIRST if verdict in verdicts), Verdict.UNKNOWN)


def strict(finding: Finding) -> Finding:
    """Return the finding, with a warning turned into UNHEALTHY."""
    return replace(finding, verdict=Verdict.UNHEALTHY) if finding.verdict == Verdict.WARNING else finding


def line(finding: Finding, most: int | None = None) -> str:
    """Format a finding for a terminal.

    Args:
        finding: the finding.
        most: the maximum number of lines after the first one. None: all.
    """
    first, *rest = finding.detail.splitlines() or [""]
    if most is not None and len(rest) > most:
        rest = [*rest[:most], f"... and {len(rest) - most} more lines (--json shows all)"]
    lines = [f"{MARKS[finding.verdict]} {finding.check:<{_NAME_WIDTH}} {first}"]
    lines += [f"{_INDENT}{one}" for one in rest]
    lines += [f"{_INDENT}→ {finding.fix}"] if finding.fix else []
    return "\n".join(lines)


def as_table(findings: Iterable[Finding]) -> str:
    """Format findings as a Markdown table, the worst first."""
    return table(
        ("", "check", "finding", "what to do"),
        [
            (ICONS[finding.verdict], finding.check, finding.detail, finding.fix)
            for finding in sorted(findings, key=lambda one: _WORST_FIRST.index(one.verdict))
        ],
    )


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as data: check, verdict, detail, fix and figures."""
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
