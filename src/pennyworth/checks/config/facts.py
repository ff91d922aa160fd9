"""What the rules of a check look at."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pennyworth.checks.config.lines import Lines, Place
from pennyworth.checks.config.report import Finding, Severity
from pennyworth.checks.config.stack import StackSettings
from pennyworth.gateway.config import Config, ConfigError, Deployment, parse

REFERENCE = "os.environ/"

# stands in for an entry that the gateway refuses, so that it goes on to judge the others
_FILLER = {"model_name": "refused", "litellm_params": {"model": "openai/refused"}}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of model_list that the gateway takes."""

    place: Place
    params: Mapping[str, Any]
    """litellm_params as they stand in the file."""
    raw: Mapping[str, Any]
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class Facts:
    """A configuration, what the gateway makes of it, and what it is meant for."""

    document: Mapping[str, Any]
    lines: Lines
    config: Config
    """Without what the gateway refuses."""
    entries: tuple[Entry, ...]
    refusals: tuple[ConfigError, ...]
    """All that the gateway objects to, not only the first."""
    environ: Mapping[str, str]
    stack: StackSettings

    def finding(self, severity: Severity, place: Place, message: str) -> Finding:
        """A finding about a setting."""
        return Finding(severity, self.lines.of(place), dotted(place), message)


def gather(
    document: Mapping[str, Any], lines: Lines, environ: Mapping[str, str], stack: StackSettings
) -> Facts:
    """Have the gateway judge a configuration, time and again, each time without what it objected to before."""
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


def dotted(place: Place) -> str:
    """A setting's name for people: `model_list[0].litellm_params.model`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Every text in a part of a configuration, with its place."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, (*place, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*place, index))
    elif isinstance(value, str):
        yield place, value


def references(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Every `os.environ/NAME` in a part of a configuration: its place and the name."""
    for where, text in texts(value, place):
        if text.startswith(REFERENCE):
            yield where, text.removeprefix(REFERENCE)
