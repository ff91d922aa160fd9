"""Draws the history in Markdown for GitHub: a square for each day, and Mermaid charts.

https://docs.github.com/get-started/writing-on-github/working-with-advanced-formatting/creating-diagrams
https://mermaid.js.org/syntax/xyChart.html
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, timedelta
from statistics import median

from pennyworth.checks.finding import Verdict
from pennyworth.checks.health.history import Entry
from pennyworth.github.actions import table

_SQUARES = {
    Verdict.UNHEALTHY: "🟥",
    Verdict.WARNING: "🟨",
    Verdict.OK: "🟩",
    Verdict.DEPLOYING: "🟦",
    Verdict.UNKNOWN: "⬜",
}
"""Worst first."""

_NOT_LOOKED = _SQUARES[Verdict.UNKNOWN]
_OUTSIDE = "&nbsp;"
_WEEKS = 13
_SPOTS = 28
_FEW_DAYS = 3
_WIDTH, _HEIGHT = 900, 220  # pixels
_COLOUR = "#2f81f7"  # visible on white and on black


def as_markdown(entries: Sequence[Entry]) -> str:
    """Draw the runs of the last weeks. Empty if there are none."""
    if not entries:
        return ""
    parts = [_headline(entries), _squares(entries)]
    spots = _spots(entries)
    if len(spots) > 1:
        parts += [
            _plot("Time to the first answer, ms", "line", spots, lambda one: one.first_ms, median),
            _plot(
                "p95 latency, s",
                "bar",
                spots,
                lambda one: None if one.p95_ms is None else one.p95_ms / 1000,
                max,
            ),
            _plot("Failed requests, %", "bar", spots, lambda one: one.error_percent, max),
        ]
    return "\n\n".join(filter(None, parts))


def _headline(entries: Sequence[Entry]) -> str:
    tried = [one.up for one in entries if one.up is not None]
    days = (entries[-1].time - entries[0].time).total_seconds() / 86400
    over = f"{days:.0f} days" if days >= 2 else f"{max(days * 24, 1):.0f} h"
    if not tried:
        return f"**{len(entries)} runs** in {over}"
    share = 100 * sum(tried) / len(tried)
    shown = f"{share:.2f}".rstrip("0").rstrip(".")
    down = f", {len(tried) - sum(tried)} did not" if sum(tried) < len(tried) else ""
    return f"**{shown} % available** in {over}: {sum(tried)} of {len(tried)} runs found it answering{down}"


def _squares(entries: Sequence[Entry]) -> str:
    """Draw a square for each day and a column for each week."""
    last = entries[-1].time.astimezone(UTC).date()
    first = max(entries[0].time.astimezone(UTC).date(), last - timedelta(weeks=_WEEKS))
    worst = {day: _worst(found) for day, found in _by_day(entries).items()}
    monday = first - timedelta(days=first.weekday())
    heads, columns = [""], ["<br>".join(f"{monday + timedelta(days=number):%a}" for number in range(7))]
    while monday <= last:
        days = [monday + timedelta(days=number) for number in range(7)]
        cells = [_OUTSIDE if day < first or day > last else worst.get(day, _NOT_LOOKED) for day in days]
        heads.append(f"{monday.day} {monday:%b}")
        columns.append("<br>".join(cells))
        monday += timedelta(weeks=1)
    legend = f"🟩 healthy 🟨 warning 🟥 unhealthy 🟦 deploying {_NOT_LOOKED} not checked"
    return f"{table(tuple(heads), [tuple(columns)])}\n\n<sub>{legend}</sub>"


def _worst(entries: Iterable[Entry]) -> str:
    seen = {one.verdict for one in entries}
    return next(square for verdict, square in _SQUARES.items() if verdict in seen)


def _by_day(entries: Iterable[Entry]) -> dict[date, list[Entry]]:
    found: dict[date, list[Entry]] = {}
    for one in entries:
        found.setdefault(one.time.astimezone(UTC).date(), []).append(one)
    return found


def _spots(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Group the runs for the x-axis of a chart, with labels: by day, or one by one if there are few days."""
    days = _by_day(entries)
    if len(days) <= _FEW_DAYS:
        return list({f"{one.time.astimezone(UTC):%a %H:%M}": [one] for one in entries[-_SPOTS:]}.items())
    # few enough days that no two have the same number: equal labels would be drawn as one
    newest = [day for day in sorted(days) if day > max(days) - timedelta(days=_SPOTS)]
    return [
        (f"{day.day} {day:%b}" if day.day == 1 or day == newest[0] else f"{day.day}", days[day])
        for day in newest
    ]


def _plot(
    title: str,
    kind: str,
    spots: Sequence[tuple[str, list[Entry]]],
    figure: Callable[[Entry], float | None],
    together: Callable[[list[float]], float],
) -> str:
    """Draw a chart; empty if no run has this figure, or all are 0."""
    drawn = [
        (label, together(values) if values else 0.0)
        for label, runs in spots
        if (values := [value for one in runs if (value := figure(one)) is not None]) or kind == "bar"
    ]
    top = max((value for _, value in drawn), default=0.0)
    if not top or len(drawn) < 2:
        return ""
    labels = ", ".join(f'"{label}"' for label, _ in drawn)
    numbers = ", ".join(_number(value) for _, value in drawn)
    font = "{titleFontSize: 14, xAxis: {labelFontSize: 11}, yAxis: {labelFontSize: 11}, "
    return f"""```mermaid
---
config:
  xyChart: {font}width: {_WIDTH}, height: {_HEIGHT}}}
  themeVariables: {{xyChart: {{plotColorPalette: "{_COLOUR}"}}}}
---
xychart-beta
  title "{title}"
  x-axis [{labels}]
  y-axis 0 --> {_number(top * 1.1)}
  {kind} [{numbers}]
```"""


def _number(value: float) -> str:
    """Format a number for Mermaid, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"
