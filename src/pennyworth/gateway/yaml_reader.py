"""YAML as people mean it: text stays text unless it is plainly a number, true, false or null. Needs PyYAML.

YAML 1.1 makes dates of `2024-10-21`, 21 of `0o25` and 5,430 of `1:30:30`: https://yaml.org/spec/1.2.2/#103-core-schema.
The configuration is read with this one reader, by the gateway and by whatever checks it.
"""

import re
from typing import Any

import yaml

LARGEST_BYTES = 1024 * 1024
_DEEPEST = 64
_MOST_VALUES = 100_000
"""After aliases (`*name`) are written out: a few lines may stand for millions."""

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$")
_DIGITS = list("-+.0123456789")


class _Loader(_Base):  # type: ignore[misc]
    """Safe: it makes nothing but plain values."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # as PyYAML has it
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
        ]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, _DIGITS)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, _DIGITS)


def _construct_number(loader: Any, node: Any) -> float:
    return float(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:float", _construct_number)


class YamlError(ValueError):
    """A text is no YAML, or no YAML for a configuration."""

    def __init__(self, message: str, line: int | None = None) -> None:
        """
        Args:
            message: what is wrong.
            line: where, from 1.
        """
        super().__init__(message if line is None else f"line {line}: {message}")
        self.reason = message
        self.line = line


def load_yaml(text: str) -> Any:
    """The value that a text stands for.

    Raises:
        YamlError: it stands for none, or for too large a one.
    """
    return _read(text, lambda loader: loader.get_single_data())


def compose_yaml(text: str) -> yaml.Node | None:
    """The nodes that a text consists of, which know their lines; None for an empty text.

    Raises:
        YamlError: as for `load_yaml`.
    """
    node: yaml.Node | None = _read(text, lambda loader: loader.get_single_node())
    return node


def _read(text: str, read: Any) -> Any:
    if len(text) > LARGEST_BYTES:
        raise YamlError(f"it is larger than {LARGEST_BYTES // 1024} KiB")
    loader = None
    try:
        _check_size(text)
        loader = _Loader(text)
        return read(loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(str(error.problem or error.context), mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, YamlError):
            raise
        raise YamlError(" ".join(str(error).split())) from None
    finally:
        if loader is not None:
            loader.dispose()


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark else None


def _check_size(text: str) -> None:
    """Check depth and size from the events, which come one by one however deep or large the whole is."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=_Loader):
        size = 0
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, total))
            if len(opened) > _DEEPEST:
                raise YamlError(f"it is nested more than {_DEEPEST} deep", _line(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
        total += size
        if total > _MOST_VALUES:
            raise YamlError(f"it stands for more than {_MOST_VALUES:,} values", _line(event))
