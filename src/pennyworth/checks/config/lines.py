"""Finds the line of each setting in a YAML file.

Uses PyYAML's node tree: https://pyyaml.org/wiki/PyYAMLDocumentation#nodes.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from pennyworth.gateway.yaml_reader import YamlError, compose_yaml

_MERGE = "tag:yaml.org,2002:merge"

Place = tuple[str | int, ...]
"""A setting's keys and list indices, from the top of the document."""


class NotYaml(ValueError):
    """A file is not valid YAML. `line` is where, counted from 1, or None."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


class Lines:
    """The line numbers of a file's settings, counted from 1."""

    def __init__(self, root: yaml.Node | None) -> None:
        self._root = root

    @classmethod
    def read(cls, path: Path) -> "Lines":
        """Read a file's line numbers.

        Raises:
            NotYaml: the file is neither YAML nor JSON.
            OSError: the file can't be read.
        """
        try:
            return cls(compose_yaml(path.read_text(encoding="utf-8")))
        except YamlError as error:
            raise NotYaml(f"not valid YAML: {error.reason}", error.line) from None
        except UnicodeDecodeError as error:
            raise NotYaml(f"not valid YAML: {error}", None) from None

    def find(self, place: Place) -> int | None:
        """Return the line of a setting, or of the nearest enclosing one in the file; None for an empty file."""
        node, line = self._root, self._root.start_mark.line + 1 if self._root else None
        for part in place:
            found = None
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in _list_pairs(node) if key.value == str(part)]
                found = pairs[-1] if pairs else None  # YAML parsers use the last of duplicate keys
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                found = (node.value[part], node.value[part])
            if not found:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return line

    def list_top(self) -> list[str]:
        """List the keys at the top of the file itself, without what it includes."""
        root = self._root
        return [str(key.value) for key, _ in _list_pairs(root)] if isinstance(root, yaml.MappingNode) else []

    def find_duplicates(self) -> Iterator[tuple[Place, int, int]]:
        """Yield keys that a mapping contains twice: the place, the earlier line, and the later line."""
        yield from _find_duplicates(self._root, (), set())


def _list_pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Yield a mapping's keys and values, those that it merges (`<<: *other`) first."""
    for key, value in node.value:
        if key.tag == _MERGE:
            for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(merged, yaml.MappingNode):
                    yield from _list_pairs(merged)
    yield from ((key, value) for key, value in node.value if key.tag != _MERGE)


def _find_duplicates(
    node: yaml.Node | None, place: Place, seen: set[int]
) -> Iterator[tuple[Place, int, int]]:
    if node is None or id(node) in seen:  # an alias refers to a node already visited
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _find_duplicates(item, (*place, index), seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                yield (*place, name), lines[name], line
            lines[name] = line
            yield from _find_duplicates(value, (*place, name), seen)
