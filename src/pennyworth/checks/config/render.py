"""A report for people's terminals, for a job's summary and for programs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from pennyworth.checks.config.report import Finding, Model, Need, Report, Severity
from pennyworth.github import actions

_MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}
_ICONS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.NOTE: "💡"}
_MODELS = ("line", "model", "goes to", "lane", "why", "needs")


def as_text(report: Report) -> str:
    """Tables for a terminal."""
    parts = [f"{report.file or 'no config file'}: {_count(len(report.models), 'model')}, {report.package()}"]
    if report.models:
        parts.append(_columns([_MODELS, *_models(report)]))
    # of a model's own parameters only those that are not as one would expect
    shown = [s for s in report.settings if not (s.honoured and s.place.startswith("model_list"))]
    if shown:
        rows = [(_line(s.line), s.place, "honoured" if s.honoured else "no effect") for s in shown]
        parts.append(_columns([("line", "setting", ""), *rows]))
    for name, value in report.parameters.items():
        parts.append(f"The stack must have {name}={value}.")
    if report.findings:
        parts.append(findings(report))
    parts.append(verdict(report))
    return "\n\n".join(parts)


def findings(report: Report) -> str:
    """What was found, a line each."""
    return "\n".join(f"{_MARKS[finding.severity]} {_said(finding)}" for finding in report.findings)


def as_markdown(report: Report) -> str:
    """The same for a job's summary, without what is in order."""
    parts = [f"{verdict(report)} The package: {report.package()}."]
    if report.findings:
        rows = [(_ICONS[f.severity], _line(f.line), _code(f.place), f.message) for f in report.findings]
        parts.append(actions.table(("", "line", "setting", ""), rows))
    if report.models:
        models = actions.table(_MODELS, [_escaped(row) for row in _models(report)])
        parts.append(f"<details><summary>Where each model goes</summary>\n\n{models}\n\n</details>")
    for name, value in report.parameters.items():
        parts.append(f"The stack must have `{name}={value}`.")
    return "\n\n".join(parts)


def as_json(report: Report) -> str:
    """All of it, for programs."""
    document = asdict(report) | {
        "errors": report.count(Severity.ERROR),
        "warnings": report.count(Severity.WARNING),
        "package": report.package(),
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def verdict(report: Report) -> str:
    """The result in a sentence."""
    counted = [
        _count(report.count(severity), severity.value) for severity in Severity if report.count(severity)
    ]
    if not counted:
        return "Nothing to complain of."
    return f"{', '.join(counted)}."


def _models(report: Report) -> Iterator[tuple[str, ...]]:
    for model in report.models:
        yield (
            _line(model.line),
            model.name,
            _target(model),
            model.lane,
            model.reason,
            ", ".join(_needed(model.needs)) or "nothing",
        )


def _needed(needs: Sequence[Need]) -> Iterator[str]:
    seen = set()
    for need in needs:
        if need.variables not in seen:
            seen.add(need.variables)
            yield f"{' or '.join(need.variables)}{'' if need.met else ' (not set)'}"


def _target(model: Model) -> str:
    return f"{model.provider}/{model.model}" if model.provider else "as asked for"


def _said(finding: Finding) -> str:
    where = f"line {finding.line}, " if finding.line else ""
    place = f"{finding.place}: " if finding.place else ""
    stop = "" if finding.message.endswith(("?", ".")) else "."
    return f"{finding.severity.value}: {where}{place}{finding.message}{stop}"


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _escaped(row: tuple[str, ...]) -> tuple[str, ...]:
    """Cells whose `*` and `_` Markdown leaves alone."""
    line, name, target, *rest = row
    return (line, _code(name), _code(target), *rest)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _line(number: int | None) -> str:
    return str(number or "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
