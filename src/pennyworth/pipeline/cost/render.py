"""Render an estimate for a job summary or a comment."""

from collections.abc import Mapping, Sequence

from pennyworth.github import actions
from pennyworth.pipeline.cost.estimate import Estimate, Item

_SPECK = 0.00005  # dollars
_CENTS = 0.1
_FREE = " ¹"


def as_markdown(before: Estimate, after: Estimate | None = None) -> str:
    """Render a table of what a stack costs, or what it costs before and after a change.

    Args:
        before: the estimate for the current settings.
        after: the estimate for the new settings, to compare.
    Returns:
        Markdown.
    """
    now = after or before
    compared = [before] if after is None or _is_same(before, after) else [before, now]
    head = (
        ("", "now")
        if after is None
        else ("", "before and after")
        if len(compared) == 1
        else ("", "before", "after", "")
    )
    request = now.request
    rows = [
        _render_total("**Idle, per month**", [one.month for one in compared]),
        *_render_items([one.at_rest for one in compared]),
        _render_total("**1,000 requests**", [one.thousand for one in compared]),
        *_render_items([one.in_use for one in compared]),
    ]
    settings = " → ".join(dict.fromkeys(one.settings for one in compared))
    said = [
        f"{settings}. Assumes that a request streams {request.answer_bytes / 1000:,.0f} KB"
        f" in {request.seconds:g} seconds. Lambda's free tier covers {now.free_requests:,} requests per month,"
        f" worth {format_usd(now.free_usd)}. Your provider's charges for tokens are not included.",
        f"_{_describe_prices(now)}{_render_footnote(compared)}_",
    ]
    return "\n\n".join([actions.table(head, rows), *said])


def format_usd(amount: float) -> str:
    """Format an amount: to the cent, small ones to two significant digits, tiny ones as ~$0."""
    size = abs(amount)
    if not amount:
        return "$0"
    if size < _SPECK:
        return "~$0"
    if size >= _CENTS:
        return f"${amount:,.2f}"
    return f"${float(f'{amount:.2g}'):.10f}".rstrip("0")


def _describe_prices(estimate: Estimate) -> str:
    whose = (
        f"List prices of {estimate.region}, because those of the stack's region are unknown"
        if estimate.home_prices
        else "List prices of the stack's region"
    )
    return f"{whose}, first tier, without tax, as of {estimate.read:%-d %B %Y}."


def _render_footnote(compared: Sequence[Estimate]) -> str:
    if any(item.free for one in compared for item in one.at_rest):
        return f"{_FREE} Not counted: covered by the account's free tier, unless its other stacks use it up."
    return ""


def _render_items(sets: Sequence[Sequence[Item]]) -> list[tuple[str, ...]]:
    by_name: dict[str, list[Item | None]] = {}
    for place, items in enumerate(sets):
        for item in items:
            by_name.setdefault(item.name, [None] * len(sets))[place] = item
    return [_render_row(name, found) for name, found in by_name.items()]


def _render_row(name: str, found: Sequence[Item | None]) -> tuple[str, ...]:
    notes = " → ".join(dict.fromkeys(item.note for item in found if item and item.note))
    label = f"{name} ({notes})" if notes else name
    cells = [f"{format_usd(item.usd)}{_FREE if item.free else ''}" if item else "none" for item in found]
    return _append_difference(
        f"&emsp;{label}", cells, [item.usd if item and not item.free else 0.0 for item in found]
    )


def _render_total(label: str, amounts: Sequence[float]) -> tuple[str, ...]:
    return _append_difference(label, [f"**{format_usd(amount)}**" for amount in amounts], amounts)


def _append_difference(label: str, cells: Sequence[str], amounts: Sequence[float]) -> tuple[str, ...]:
    if len(amounts) == 1:
        return (label, *cells)
    before, after = amounts
    return (label, *cells, _format_difference(before, after))


def _format_difference(before: float, after: float) -> str:
    if abs(after - before) < _SPECK:
        return ""
    sign = "+" if after > before else "-"
    share = f" ({sign}{abs(after / before - 1):.0%})" if before else ""
    return f"{sign}{format_usd(abs(after - before))}{share}"


def _is_same(before: Estimate, after: Estimate) -> bool:
    return _list_amounts(before) == _list_amounts(after)


def _list_amounts(estimate: Estimate) -> Mapping[str, float]:
    return {item.name: round(item.usd, 9) for item in (*estimate.at_rest, *estimate.in_use)}
