"""Render a preview for a pull request's comment and a job summary."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from pennyworth.aws.stack_states import get_state
from pennyworth.github import actions
from pennyworth.pipeline import cost
from pennyworth.pipeline.preview.changeset import Detail, ResourceChange
from pennyworth.pipeline.preview.parameter_changes import Setting
from pennyworth.pipeline.preview.permissions import Change
from pennyworth.pipeline.preview.preview import Preview, State

_SHOWN = 60  # characters of a property's value
_ROWS = 200
_WORDS = {"Code": "its package"}
"""Properties whose values are of no use to readers."""
_CAP = re.compile(r"whatever the boundary (.*) does not allow")
_TAKES = ("sts:AssumeRole",)
_KINDS = {
    "removed": "🔴",
    "replaced": "🟠",
    "perhaps replaced": "🟠",
    "changed": "🟡",
    "perhaps changed": "🟡",
    "added": "🟢",
    "imported": "🔵",
    "detached": "⚪",
}
"""What can happen to a resource, with a symbol, most serious first."""
_PLAIN = {"Add": "added", "Modify": "changed", "Remove": "removed", "Import": "imported"}


def as_markdown(preview: Preview) -> str:
    """Render a preview as Markdown.

    Args:
        preview: the preview, with secrets masked.
    Returns:
        Markdown.
    """
    parts = [f"{_render_verdict(preview)}", *_render_alerts(preview), _render_conflicts(preview)]
    if preview.settings:
        parts.append(_render_settings(preview.settings))
    if preview.resources:
        parts.append(_render_resources(preview))
    parts.append(_render_permissions(preview))
    parts.append(_render_cost(preview))
    return "\n\n".join(filter(None, parts))


def as_json(preview: Preview) -> str:
    """Render a preview as JSON, for programs.

    Args:
        preview: the preview.
    Returns:
        JSON.
    """
    document = asdict(preview) | {"headline": render_headline(preview)}
    for change, entry in zip(preview.resources, document["resources"], strict=True):
        entry |= {"lost": change.lost, "noticed": change.noticed}
    return json.dumps(document, ensure_ascii=False, indent=1, default=str)


def render_headline(preview: Preview) -> str:
    """Render the result in a few words.

    Args:
        preview: the preview.
    Returns:
        plain text.
    """
    if preview.state is State.BLOCKED:
        return "the stack can't be deployed now"
    if preview.nothing:
        return "nothing would change"
    return _count_kinds(preview.resources) or "settings only"


def _render_verdict(preview: Preview) -> str:
    if preview.state is State.FIRST:
        return (
            f"The stack does not exist yet. Its first deployment would create **{len(preview.resources)}"
            " resources**."
            + (
                ""
                if preview.kept
                else " There is no change set, because creating one would leave an empty stack."
            )
        )
    if preview.state is State.BLOCKED:
        advice = get_state(preview.status).advice
        return f"⛔ **The stack is in {preview.status}** and can't be deployed. {advice}"
    if preview.nothing:
        return "✅ **Nothing would change**: no resources, settings or permissions, and not the package."
    return f"A deployment would make these changes: **{_count_kinds(preview.resources) or 'settings only'}**."


def _render_conflicts(preview: Preview) -> str:
    if not preview.conflicts:
        return ""
    lines = [f"- {conflict}. {conflict.remedy}" for conflict in preview.conflicts]
    return "\n".join(["⛔ **CloudFormation would refuse it**, because these exist already:\n", *lines])


def _count_kinds(resources: Sequence[ResourceChange]) -> str:
    counted = Counter(map(_find_kind, resources))
    return ", ".join(f"{counted[kind]} {kind}" for kind in _KINDS if counted[kind])


def _find_kind(change: ResourceChange) -> str:
    if change.action == "Modify" and change.goes:
        return "replaced" if change.certain else "perhaps replaced"
    if change.action == "Remove" and change.kept:
        return "detached"
    return _PLAIN.get(change.action, "perhaps changed")


def _render_alerts(preview: Preview) -> list[str]:
    """Render warnings as GitHub alerts."""
    boxes = []
    if lost := [change for change in preview.resources if change.lost]:
        boxes.append(_render_alert("CAUTION", "**Data would be lost**", map(_describe_loss, lost)))
    noticed = [change for change in preview.resources if change.noticed]
    replaced = [
        change for change in preview.resources if change.goes and not change.lost and change not in noticed
    ]
    if noticed:
        said = [f"`{change.resource}` {_describe_removal(change)}: {change.noticed}." for change in noticed]
        boxes.append(_render_alert("WARNING", "**Callers would notice**", said))
    # replaced and kept is normal for the function's versions
    if replaced := [change for change in replaced if change.action == "Modify" and not change.kept]:
        names = ", ".join(
            f"`{change.resource}`{'' if change.certain else ' (perhaps)'}" for change in replaced
        )
        boxes.append(
            _render_alert(
                "IMPORTANT",
                "**Resources would be replaced**",
                [f"{names}. Each new resource is created before the old one is deleted."],
            )
        )
    return boxes


def _describe_loss(change: ResourceChange) -> str:
    return (
        f"`{change.resource}` ({change.type}) {_describe_removal(change)}: **{change.lost}** would be lost."
    )


def _describe_removal(change: ResourceChange) -> str:
    if change.action == "Remove":
        return "is removed"
    return "is replaced" if change.certain else "may be replaced"


def _render_alert(kind: str, title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"> [!{kind}]", f"> {title}", *(f"> - {line}" for line in lines)])


def _render_settings(changed: Sequence[Setting]) -> str:
    rows = [(f"`{one.name}`", _render_value(one.before), _render_value(one.after)) for one in changed]
    return f"#### Settings\n\n{actions.table(('parameter', 'before', 'after'), rows)}"


def _render_resources(preview: Preview) -> str:
    shown = preview.resources[:_ROWS]
    more = len(preview.resources) - len(shown)
    rest = f"\n\nand {more} more." if more else ""
    if preview.state is State.FIRST:
        made = actions.table(
            ("resource", "type"), [(f"`{change.resource}`", change.type) for change in shown]
        )
        return f"<details><summary>The {len(preview.resources)} resources</summary>\n\n{made}{rest}\n\n</details>"
    rows = [
        (_render_action(change), f"`{change.resource}`", change.type, _render_details(change))
        for change in shown
    ]
    return f"#### Resources\n\n{actions.table(('', 'resource', 'type', 'what changes'), rows)}{rest}"


def _render_action(change: ResourceChange) -> str:
    kind = _find_kind(change)
    word = kind.replace(" ", "&nbsp;")
    mark = f"{_KINDS[kind]}&nbsp;{f'**{word}**' if change.goes and not change.kept else word}"
    if change.goes and change.kept:
        mark += ", but kept" if change.action == "Remove" else ", old one kept"
    return f"{mark}&nbsp;⚠️" if change.lost else mark


def _render_details(change: ResourceChange) -> str:
    return ", ".join(dict.fromkeys(_render_detail(detail) for detail in change.details))


def _render_detail(detail: Detail) -> str:
    first = re.split(r"[.\[]", detail.name)[0]
    if first in _WORDS:
        return _WORDS[first]
    name = f"`{detail.name}`" if detail.certain else f"`{detail.name}` (perhaps)"
    values = [value for value in (detail.before, detail.after) if value is not None]
    if values and all(_is_short(value) for value in values):
        return f"{name}: {_render_value(detail.before)} → {_render_value(detail.after)}"
    return name


def _is_short(value: str) -> bool:
    return len(value) <= _SHOWN and "\n" not in value and not value.startswith(("{", "["))


def _render_value(value: str | None) -> str:
    if value is None:
        return "none"
    return (
        f"`{_escape_code(value[:_SHOWN])}{'…' if len(value) > _SHOWN else ''}`" if value.strip() else "empty"
    )


def _render_permissions(preview: Preview) -> str:
    changes = preview.permissions
    if not changes:
        return "" if preview.nothing else "#### Permissions\n\nNo permissions change."
    now = "" if preview.state is State.FIRST else "now "
    lines = [f"- {_render_permission(change, now)}" for change in changes]
    said = "\n".join(lines)
    if preview.state is State.FIRST:
        return f"<details><summary>The {len(lines)} permissions</summary>\n\n{said}\n\n</details>"
    return f"#### Permissions\n\n{said}"


def _render_permission(change: Change, now: str) -> str:
    who = f"`{_escape_code(change.who)}`" if change.who != "*" else "**everybody**"
    if change.runs:
        who += f" (the role of {_join_words(f'`{name}`' for name in change.runs)})"
    when = now if change.gained else "no longer "
    if cap := _CAP.fullmatch(change.actions[0]):
        return f"{_choose_sign(change)} {who} is {when}capped by `{_escape_code(cap[1])}`"
    resources = _join_words(map(_render_term, change.resources)) if any(change.resources) else ""
    if change.actions == _TAKES and not change.denies:
        what = f"may {when}assume the role {resources}"
    else:
        verb = f"is {when}denied" if change.denies else f"may {when}{_choose_verb(change)}"
        what = f"{verb} {_join_words(map(_render_term, change.actions))}{f' on {resources}' if resources else ''}"
    condition = f", if `{_escape_code(change.condition)}`" if change.condition else ""
    return f"{_choose_sign(change)} {who} {what}{condition}"


def _choose_verb(change: Change) -> str:
    return "do" if change.actions[0].startswith("whatever") else "call"


def _choose_sign(change: Change) -> str:
    sign = "🔓" if change.gained != change.denies else "🔒"
    return f"{sign} ⚠️" if change.alarming else sign


def _render_term(text: str) -> str:
    """Render an action or a resource. Only its technical part is formatted as code."""
    if text == "*":
        return "**everything**"
    found = re.match(
        r"(whatever the (?:policy|boundary)|everything but) (.*?)((?: allows| does not allow)?)$", text
    )
    return (
        f"{found[1]} `{_escape_code(found[2])}`{found[3]}"
        if found
        else f"`{_escape_code(_strip_reference(text))}`"
    )


def _strip_reference(text: str) -> str:
    """Replace a reference to a resource of the template with its logical ID."""
    found = re.fullmatch(r"\$\{([\w.:]+?)(\.Arn)?\}", text)
    return found[1] if found else text


def _escape_code(text: str) -> str:
    """Make text fit between backticks."""
    return " ".join(text.replace("`", "'").split())


def _join_words(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _render_cost(preview: Preview) -> str:
    before, after = preview.cost_before, preview.cost_after
    table = cost.as_markdown(before, after) if before else cost.as_markdown(after)
    return f"#### Cost\n\n{_render_totals(preview)}\n\n<details><summary>Details</summary>\n\n{table}\n\n</details>"


def _render_totals(preview: Preview) -> str:
    rows = []
    for label, amount in (("idle, per month", "month"), ("1,000 requests", "thousand")):
        after = getattr(preview.cost_after, amount)
        before = getattr(preview.cost_before, amount) if preview.cost_before else after
        now, then = cost.format_usd(before), cost.format_usd(after)
        rows.append(f"{label}: **{then}**" if now == then else f"{label}: {now} → **{then}**")
    return " · ".join(rows)
