"""The parsed configuration that the rules examine."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pennyworth.checks.config.lines import Lines, Place
from pennyworth.checks.config.report import Finding, Severity
from pennyworth.checks.config.stack import StackSettings
from pennyworth.gateway.config import Config, ConfigError, Deployment, parse

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
    refusals: tuple[ConfigError, ...]
    """Every error that the gateway reports, not only the first."""
    environ: Mapping[str, str]
    stack: StackSettings

    def make_finding(self, severity: Severity, place: Place, message: str) -> Finding:
        """Return a finding about a setting, with its line."""
        return Finding(severity, self.lines.find(place), format_place(place), message)


def gather(
    document: Mapping[str, Any], lines: Lines, environ: Mapping[str, str], stack: StackSettings
) -> Facts:
    """Parse a configuration with the gateway's parser, repeatedly, removing what it refuses each time.

    Args:
        document: the parsed file.
        lines: its line numbers.
        environ: the environment variables that the gateway will have.
        stack: the stack's settings, as far as they are known.
    """
    left = copy.deepcopy(dict(document))
    refused: set[int] = set()
    refusals: list[ConfigError] = []
    while True:
        try:
            config = parse(left, environ)
            break
        except ConfigError as error:
            refusals.append(error)
            match error.path:
                case ("model_list", int(index), *_):
                    refused.add(index)
                    left["model_list"][index] = _FILLER
                case ("model_list",):
                    refused.add(0)
                    left["model_list"] = [_FILLER]
                case path:
                    _remove(left, path)
    entries = tuple(
        Entry(("model_list", index), raw["litellm_params"], raw, deployment)
        for index, (raw, deployment) in enumerate(zip(left["model_list"], config.deployments, strict=True))
        if index not in refused
    )
    config = replace(config, deployments=tuple(entry.deployment for entry in entries))
    environ = {**environ, **{name: value for name, value in config.environment.items() if value}}
    return Facts(document, lines, config, entries, tuple(refusals), environ, stack)


def _remove(document: dict[str, Any], path: Place) -> None:
    *parents, last = path
    holder: Any = document
    for part in parents:
        holder = holder[part]
    del holder[last]


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
