"""Renders a report as text, Markdown or JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from pennyworth.checks.config.report import Finding, Model, Need, Report, Severity
from pennyworth.github import actions

_MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}
_ICONS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.NOTE: "💡"}
_MODELS = ("line", "model", "goes to", "lane", "why", "needs")
_SETTINGS = ("grade", "setting", "count", "lines")
_MOST_LINES = 3
"""How many of a setting's are named."""


def as_text(report: Report) -> str:
    """Return the report as tables for a terminal."""
    file = report.file or "no config file"
    unusable = not report.models and report.failed()
    package = f"{_count(len(report.models), 'model')}, {report.describe_package()}"
    parts = [f"{file}: {'no model can be used' if unusable else package}"]
    if report.models:
        parts.append(_align_columns([_MODELS, *_format_models(report)]))
    if report.settings:
        rows = [(s.grade, s.name, str(s.count), _format_lines(s.lines)) for s in report.settings]
        parts.append(_align_columns([_SETTINGS, *rows]))
    for name, value in report.parameters.items():
        parts.append(f"Set the stack parameter {name}={value}.")
    if report.findings:
        parts.append(render_findings(report))
    parts.append(summarize(report))
    return "\n\n".join(parts)


def render_findings(report: Report) -> str:
    """Return the findings, one per line."""
    return "\n".join(f"{_MARKS[finding.severity]} {_format_finding(finding)}" for finding in report.findings)


def as_markdown(report: Report) -> str:
    """Return the report for a GitHub job summary."""
    parts = [f"{summarize(report)} The package: {report.describe_package()}."]
    if report.findings:
        rows = [
            (_ICONS[f.severity], _format_lines(_list_lines(f)), _format_code(f.place), f.message)
            for f in report.findings
        ]
        parts.append(actions.table(("", "line", "setting", ""), rows))
    if report.models:
        models = actions.table(_MODELS, [_escape_row(row) for row in _format_models(report)])
        parts.append(f"<details><summary>Where each model goes</summary>\n\n{models}\n\n</details>")
    if report.settings:
        rows = [
            (s.grade, _format_code(s.name), str(s.count), _format_lines(s.lines)) for s in report.settings
        ]
        settings = actions.table(_SETTINGS, rows)
        parts.append(f"<details><summary>What becomes of each setting</summary>\n\n{settings}\n\n</details>")
    for name, value in report.parameters.items():
        parts.append(f"Set the stack parameter `{name}={value}`.")
    return "\n\n".join(parts)


def as_json(report: Report) -> str:
    """Return the whole report as JSON, for programs."""
    document = asdict(report) | {
        "errors": report.count(Severity.ERROR),
        "warnings": report.count(Severity.WARNING),
        "package": report.describe_package(),
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def summarize(report: Report) -> str:
    """Return the result in one sentence, such as "1 error, 2 warnings."."""
    counted = [
        _count(report.count(severity), severity.value) for severity in Severity if report.count(severity)
    ]
    if not counted:
        return "No problems found."
    return f"{', '.join(counted)}."


def _format_models(report: Report) -> Iterator[tuple[str, ...]]:
    for model in report.models:
        yield (
            _format_line(model.line),
            model.name,
            _format_target(model),
            model.lane,
            model.reason,
            ", ".join(_format_needs(model.needs)) or "nothing",
        )


def _format_needs(needs: Sequence[Need]) -> Iterator[str]:
    seen = set()
    for need in needs:
        if need.variables not in seen:
            seen.add(need.variables)
            yield f"{' or '.join(need.variables)}{'' if need.met else ' (not set)'}"


def _format_target(model: Model) -> str:
    return f"{model.provider}/{model.model}" if model.provider else "as requested"


def _format_finding(finding: Finding) -> str:
    lines = _list_lines(finding)
    where = f"line{'s' if len(lines) > 1 else ''} {_format_lines(lines)}, " if lines else ""
    place = f"{finding.place}: " if finding.place else ""
    stop = "" if finding.message.endswith(("?", ".")) else "."
    return f"{finding.severity.value}: {where}{place}{finding.message}{stop}"


def _align_columns(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _escape_row(row: tuple[str, ...]) -> tuple[str, ...]:
    """Return the cells with `*` and `_` protected from Markdown."""
    line, name, target, *rest = row
    return (line, _format_code(name), _format_code(target), *rest)


def _format_code(text: str) -> str:
    return f"`{text}`" if text else ""


def explain(finding: Finding) -> str:
    """Return what a finding says, with the lines beyond its first."""
    further = _format_lines(finding.more)
    return (
        f"{finding.message} (also on line{'s' if len(finding.more) > 1 else ''} {further})"
        if further
        else finding.message
    )


def _list_lines(finding: Finding) -> tuple[int, ...]:
    return (finding.line, *finding.more) if finding.line else ()


def _format_lines(lines: Sequence[int]) -> str:
    named = ", ".join(map(str, lines[:_MOST_LINES]))
    return f"{named} and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else named


def _format_line(number: int | None) -> str:
    return str(number or "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
