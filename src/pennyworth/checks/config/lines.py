"""On which line of a YAML file each setting stands.

PyYAML's node tree knows: https://pyyaml.org/wiki/PyYAMLDocumentation#nodes.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from pennyworth.gateway.yaml_reader import YamlError, compose_yaml

_MERGE = "tag:yaml.org,2002:merge"

Place = tuple[str | int, ...]
"""A setting's keys and indices from the top."""


class NotYaml(ValueError):
    """A file can't be read as YAML."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


class Lines:
    """Line numbers of a file's settings, counted from 1."""

    def __init__(self, root: yaml.Node | None) -> None:
        self._root = root

    @classmethod
    def read(cls, path: Path) -> "Lines":
        """The lines of a file.

        Raises:
            NotYaml: it is no YAML (nor JSON, which is).
            OSError: it can't be read.
        """
        try:
            return cls(compose_yaml(path.read_text(encoding="utf-8")))
        except YamlError as error:
            raise NotYaml(f"not valid YAML: {error.reason}", error.line) from None
        except UnicodeDecodeError as error:
            raise NotYaml(f"not valid YAML: {error}", None) from None

    def of(self, place: Place) -> int | None:
        """The line of a setting, or of the nearest thing around it that the file has; None for an empty file."""
        node, line = self._root, self._root.start_mark.line + 1 if self._root else None
        for part in place:
            found = None
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in _pairs(node) if key.value == str(part)]
                found = pairs[-1] if pairs else None  # of two keys alike, YAML's readers take the last
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                found = (node.value[part], node.value[part])
            if not found:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return line

    def doubled(self) -> Iterator[tuple[Place, int, int]]:
        """Keys that stand twice in one mapping, of which a reader takes the last: place, line before, line."""
        yield from _doubled(self._root, (), set())


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """A mapping's keys and values, with those that it merges in (`<<: *other`) first."""
    for key, value in node.value:
        if key.tag == _MERGE:
            for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(merged, yaml.MappingNode):
                    yield from _pairs(merged)
    yield from ((key, value) for key, value in node.value if key.tag != _MERGE)


def _doubled(node: yaml.Node | None, place: Place, seen: set[int]) -> Iterator[tuple[Place, int, int]]:
    if node is None or id(node) in seen:  # an alias leads to the very node again
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _doubled(item, (*place, index), seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                yield (*place, name), lines[name], line
            lines[name] = line
            yield from _doubled(value, (*place, name), seen)
