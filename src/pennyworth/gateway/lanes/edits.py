"""Changes a request as its upstream's row says, on the direct lane. Where nothing has to change, nothing is copied."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pennyworth.gateway.errors import UpstreamFailure
from pennyworth.gateway.provider import Choices, Edit
from pennyworth.gateway.providers import HARMLESS

_NEEDED = frozenset(
    ["functions", "input", "messages", "model", "prompt", "response_format", "stream", "tools"]
)
"""Fields without which a request would be answered with something else than was asked for."""

_STEP = r"([^.\[\]]+)|\[(\*|\d+)\]"
"""Of a path; compiled where there is one."""


def edit_request(fields: Mapping[str, Any], edit: Edit, choices: Choices) -> Mapping[str, Any]:
    """A request as its upstream takes it.

    Args:
        fields: the request's. They are not changed.
        edit: what the upstream differs in.
        choices: the operator's.
    Returns:
        `fields` itself where nothing has to change.
    """
    edited: Mapping[str, Any] = fields
    for path in choices.dropped:
        edited = _without(edited, re.findall(_STEP, path))
    if edit.rename or edit.lacks or edit.takes is not None or edit.values:
        edited = _edit_fields(edited, edit, choices)
    if edit.roles or edit.message_drop or edit.flatten:
        edited = _replaced(edited, "messages", lambda message: _edit_message(message, edit))
    if edit.tool_drop:
        edited = _replaced(edited, "tools", lambda tool: _edit_tool(tool, edit.tool_drop))
    return edited


def amend(fields: Mapping[str, Any], failure: UpstreamFailure, choices: Choices) -> dict[str, Any] | None:
    """A request for another attempt at an upstream that refused it for the sake of one field.

    Args:
        fields: the request's, as they went out.
        failure: the upstream's refusal.
        choices: without `drop`, a field may only be renamed.
    Returns:
        the request without that field; None where the refusal names none that may be left out.
    """
    if failure.status not in (400, 422):
        return None
    words = set(re.findall(r"\w+", failure.message))
    rest = dict(fields)
    if "max_completion_tokens" in words and "max_tokens" in rest and "max_completion_tokens" not in rest:
        rest["max_completion_tokens"] = rest.pop("max_tokens")
        return rest
    if not choices.drop:
        return None
    optional = fields.keys() - _NEEDED - choices.allowed
    named = {failure.param or ""} & optional or words & optional
    if len(named) != 1:
        return None
    del rest[named.pop()]
    return rest


def _edit_fields(fields: Mapping[str, Any], edit: Edit, choices: Choices) -> Mapping[str, Any]:
    edited: dict[str, Any] = {}
    changed = False
    for name, value in fields.items():
        new = name if name in choices.allowed else edit.rename.get(name, name)
        if new != name and value is None:
            changed = True  # null is absent, and must not replace what is there
            continue
        if (
            edit.refuses(new)
            and new not in choices.allowed
            and (choices.drop or new in HARMLESS)
            and new not in _NEEDED
        ):
            changed = True
            continue
        if new == name and name in edited:  # a renamed field came before it, and is the newer one
            continue
        if (values := edit.values.get(name)) and isinstance(value, str) and value in values:
            value, changed = values[value], True
        changed |= new != name
        edited[new] = value
    return edited if changed else fields


def _edit_message(message: dict[str, Any], edit: Edit) -> dict[str, Any]:
    role = message.get("role")
    drop = edit.message_drop & message.keys()
    if drop and role in ("tool", "function"):
        drop -= {"name"}  # whose result it is
    content = _edit_content(message.get("content"), edit, flatten=role in edit.flatten)
    new = edit.roles.get(role) if isinstance(role, str) else None
    if not drop and content is message.get("content") and not new:
        return message
    edited = {name: value for name, value in message.items() if name not in drop}
    if new:
        edited["role"] = new
    if "content" in edited:
        edited["content"] = content
    return edited


def _edit_content(content: Any, edit: Edit, *, flatten: bool) -> Any:
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return content
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    if flatten and len(texts) == len(content) and all(isinstance(text, str) for text in texts):
        return "".join(texts)
    if not any(edit.message_drop & part.keys() for part in content):
        return content
    return [
        {name: value for name, value in part.items() if name not in edit.message_drop} for part in content
    ]


def _edit_tool(tool: dict[str, Any], drop: frozenset[str]) -> dict[str, Any]:
    function = tool.get("function")
    inner = function if isinstance(function, dict) else {}
    if not drop & (tool.keys() | inner.keys()):
        return tool
    edited = {name: value for name, value in tool.items() if name not in drop}
    if inner:
        edited["function"] = {name: value for name, value in inner.items() if name not in drop}
    return edited


def _replaced(fields: Mapping[str, Any], name: str, change: Any) -> Mapping[str, Any]:
    """The fields with each object of a list changed."""
    items = fields.get(name)
    if not isinstance(items, list):
        return fields
    changed = [change(item) if isinstance(item, dict) else item for item in items]
    if all(new is old for new, old in zip(changed, items, strict=True)):
        return fields
    return {**fields, name: changed}


def _without(document: Any, path: Sequence[tuple[str, str]]) -> Any:
    """A document without what lies at a path: names, and `[0]` or `[*]` of lists."""
    if not path:
        return document
    (name, index), *rest = path
    if name and isinstance(document, Mapping) and name in document:
        if not rest:
            return {key: value for key, value in document.items() if key != name}
        inner = _without(document[name], rest)
        return document if inner is document[name] else {**document, name: inner}
    if index and isinstance(document, list):
        chosen = range(len(document)) if index == "*" else [int(index)]
        if not rest:
            return [item for number, item in enumerate(document) if number not in chosen]
        changed = [_without(item, rest) if number in chosen else item for number, item in enumerate(document)]
        same = all(new is old for new, old in zip(changed, document, strict=True))
        return document if same else changed
    return document
