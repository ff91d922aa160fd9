"""The parsed configuration that the rules examine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pennyworth.checks.config.lines import Lines, Place
from pennyworth.checks.config.report import Finding, Severity
from pennyworth.checks.config.stack import StackSettings
from pennyworth.gateway.config import Config, Deployment, parse
from pennyworth.gateway.grades import Key, list_keys
from pennyworth.gateway.includes import INCLUDE

REFERENCE = "os.environ/"

# replaces an entry that the gateway refuses, so that the other entries can still be checked
_FILLER = {"model_name": "refused", "litellm_params": {"model": "openai/refused"}}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of model_list that the gateway accepts."""

    place: Place
    params: Mapping[str, Any]
    """litellm_params as written in the file."""
    raw: Mapping[str, Any]
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class Facts:
    """A configuration, how the gateway understands it, and where it will run."""

    document: Mapping[str, Any]
    lines: Lines
    config: Config
    """The parsed configuration, without the parts that the gateway refuses."""
    entries: tuple[Entry, ...]
    environ: Mapping[str, str]
    stack: StackSettings
    keys: tuple[Key, ...]
    """Every key of the file, and what becomes of it."""

    def make_finding(self, severity: Severity, place: Place, message: str) -> Finding:
        """Return a finding about a setting, with its line."""
        return Finding(severity, self.lines.find(place), format_place(place), message)


def gather(
    document: Mapping[str, Any], lines: Lines, environ: Mapping[str, str], stack: StackSettings
) -> Facts:
    """Parse a configuration with the gateway's own parser.

    Args:
        document: the parsed file.
        lines: its line numbers.
        environ: the environment variables that the gateway will have.
        stack: the stack's settings, as far as they are known.
    """
    config = parse(document, environ, empty=True)
    listed = document.get("model_list")
    entries = tuple(
        Entry(("model_list", each.index), listed[each.index]["litellm_params"], listed[each.index], each)
        for each in config.deployments
        if isinstance(listed, list)
    )
    environ = {**environ, **{name: value for name, value in config.environment.items() if value}}
    lanes = {each.index: each.lane for each in config.deployments}
    merged = {
        name: True for name in lines.list_top() if name == INCLUDE
    }  # the parser's mapping has no more of it
    keys = tuple(list_keys({**document, **merged}, lanes))
    return Facts(document, lines, config, entries, environ, stack, keys)


def format_place(place: Place) -> str:
    """Return a setting's name as text: `model_list[0].litellm_params.model`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def find_texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Yield every string in a part of a configuration, with its place."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from find_texts(item, (*place, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from find_texts(item, (*place, index))
    elif isinstance(value, str):
        yield place, value


def find_references(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Yield every `os.environ/NAME` in a part of a configuration: its place and NAME."""
    for where, text in find_texts(value, place):
        if text.startswith(REFERENCE):
            yield where, text.removeprefix(REFERENCE)
