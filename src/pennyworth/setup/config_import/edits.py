"""Edits a YAML text in place: keys and items taken out, values replaced, everything else as it was.

Uses the marks of PyYAML's nodes: https://pyyaml.org/wiki/PyYAMLDocumentation#nodes.
"""

import copy
from collections.abc import Iterator, Mapping, Set
from typing import Any

import yaml

from pennyworth.gateway.grades import Place
from pennyworth.gateway.yaml_reader import YamlError, compose_yaml, load_yaml

_Span = tuple[int, int, str]
"""From where to where in the text, and what comes there instead."""


def edit_yaml(text: str, removed: Set[Place], replaced: Mapping[Place, str]) -> tuple[str, bool]:
    """Edit a text.

    Args:
        text: a mapping.
        removed: keys and items of lists that are taken out. Below a mapping that they empty, it is taken out as well.
        replaced: new values, which are words without special characters.
    Returns:
        the text, and whether its comments and layout were kept: they are lost where what it stands for would not be
        what was wanted, as with anchors that several places share.
    """
    document = load_yaml(text)
    removed = _widen(document, removed)
    wanted = _edit(document, removed, replaced, ())
    root = compose_yaml(text)
    edited = text
    for start, end, new in sorted(set(_list_spans(text, root, removed, replaced, ())), reverse=True):
        edited = edited[:start] + new + edited[end:]
    try:
        if load_yaml(edited) == wanted:
            return edited, True
    except YamlError:
        pass
    return yaml.safe_dump(copy.deepcopy(wanted), sort_keys=False, allow_unicode=True, width=110), False


def _widen(document: Any, removed: Set[Place]) -> set[Place]:
    """Remove a mapping or list instead of all that is in it."""
    found = set(removed)
    for place in sorted(removed, key=len, reverse=True):
        while len(place) > 1:
            parent: Any = document
            for part in place[:-1]:
                parent = parent[part]
            names = range(len(parent)) if isinstance(parent, list) else parent
            if not all((*place[:-1], name) in found for name in names):
                break
            found -= {(*place[:-1], name) for name in names}
            place = place[:-1]
            found.add(place)
    return found


def _edit(value: Any, removed: Set[Place], replaced: Mapping[Place, str], place: Place) -> Any:
    if place in replaced:
        return replaced[place]
    if isinstance(value, dict):
        return {
            name: _edit(item, removed, replaced, (*place, name))
            for name, item in value.items()
            if (*place, name) not in removed
        }
    if isinstance(value, list):
        return [
            _edit(item, removed, replaced, (*place, index))
            for index, item in enumerate(value)
            if (*place, index) not in removed
        ]
    return value


def _list_spans(
    text: str, node: yaml.Node | None, removed: Set[Place], replaced: Mapping[Place, str], place: Place
) -> Iterator[_Span]:
    if node is not None and place in replaced:
        end = "\n" if text[: node.end_mark.index].endswith("\n") else ""  # of a text of several lines
        yield node.start_mark.index, node.end_mark.index, replaced[place] + end
        return
    children: list[tuple[Place, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        children = [((*place, key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [((*place, index), item, item) for index, item in enumerate(node.value)]
    for number, (where, first, last) in enumerate(children):
        if where not in removed:
            yield from _list_spans(text, last, removed, replaced, where)
            continue
        following = children[number + 1][1].start_mark.index if number + 1 < len(children) else None
        before = children[number - 1][2] if number else None
        flow = bool(node is not None and getattr(node, "flow_style", False))
        kept = any(each not in removed for each, _, _ in children[:number])
        yield (*_find_span(text, first, last, before, following, flow=flow, kept=kept), "")


def _find_span(
    text: str,
    first: yaml.Node,
    last: yaml.Node,
    before: yaml.Node | None,
    following: int | None,
    *,
    flow: bool,
    kept: bool,
) -> tuple[int, int]:
    """Find what to take out for a key and its value.

    Args:
        text: the whole text.
        first: the key, or the item.
        last: its value, or the item.
        before: the value or item before it.
        following: where the next one begins.
        flow: whether they stand in braces or brackets.
        kept: whether any before it stays.
    """
    if flow:
        if kept and before is not None:
            return _find_end(before), _find_end(last)
        return first.start_mark.index, _find_end(last) if following is None else following
    line = text.rfind("\n", 0, first.start_mark.index) + 1
    lead = text[line : first.start_mark.index]
    if not isinstance(first, yaml.CollectionNode) and lead.strip() and following is not None:
        return first.start_mark.index, following  # the first of an item: the next one comes after its dash
    end = text.find("\n", _find_end(last))
    return line, len(text) if end < 0 else end + 1


def _find_end(node: yaml.Node) -> int:
    """Find where a value ends. A block's own mark is where the next thing begins, comments and all."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        found = node.value[-1]
        return _find_end(found[1] if isinstance(found, tuple) else found)
    end: int = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return end - 1  # it ends with its last line's break
    return end
