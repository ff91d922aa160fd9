"""Finds a LiteLLM configuration in a file, which may be Helm's values or a Kubernetes manifest around it."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from pennyworth.gateway.yaml_reader import YamlError, compose_yaml, load_yaml
from pennyworth.host.errors import OperationFailed

_SECTIONS = frozenset(["model_list", "include", "litellm_settings", "general_settings", "router_settings"])
_WRAPPER = "proxy_config"
"""Helm's name for the configuration."""


def find_config(text: str, name: str) -> tuple[str, str]:
    """Find the configuration in a file's text.

    Args:
        text: the file's.
        name: the file's, for errors.
    Returns:
        the configuration's own text, with its comments, and what was around it; empty if nothing.
    Raises:
        OperationFailed: there is none.
    """
    parts = re.split(r"(?m)^---[ \t]*$", text)
    try:
        for part in parts:
            if found := _find(part if len(parts) > 1 else text):
                return found
    except YamlError as error:
        raise OperationFailed(f"{name}: not valid YAML: {error}") from error
    raise OperationFailed(
        f"{name}: there is no LiteLLM configuration in it. Expected model_list at the top, below {_WRAPPER}, or in a"
        " ConfigMap's data"
    )


def _find(text: str) -> tuple[str, str] | None:
    root = compose_yaml(text)
    if not isinstance(root, yaml.MappingNode):
        return None
    document = load_yaml(text)
    if _SECTIONS & document.keys():
        return text, ""
    for place, key, node in _list_nodes(root, ()):
        held: Any = document
        for part in place:
            held = held[part]
        where = ".".join(map(str, place))
        if isinstance(held, dict) and (_SECTIONS & held.keys()):
            return _cut(text, key, node, held), where
        if isinstance(held, str) and any(f"{section}:" in held for section in _SECTIONS):
            inner = load_yaml(held)
            if isinstance(inner, dict) and _SECTIONS & inner.keys():
                return held, where
    return None


def _list_nodes(
    node: yaml.MappingNode, place: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], yaml.Node, yaml.Node]]:
    """List the places, keys and values of a mapping and of those below it, without what lists hold."""
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            where = (*place, key.value)
            yield where, key, value
            if isinstance(value, yaml.MappingNode):
                yield from _list_nodes(value, where)


def _cut(text: str, key: yaml.Node, node: yaml.Node, held: dict[str, Any]) -> str:
    """Take a mapping's own text, with the comments above it, out of what is around it."""
    start = text.find("\n", key.end_mark.index) + 1
    cut = textwrap.dedent(text[start : node.end_mark.index]).rstrip() + "\n"
    try:
        if load_yaml(cut) == held:
            return cut
    except YamlError:  # it refers to an anchor outside, or stands in braces
        pass
    return yaml.safe_dump(held, sort_keys=False, allow_unicode=True)
