"""Decides what of a LiteLLM config file stays, what changes, and what its owner has to do."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pennyworth.checks.config.facts import REFERENCE, Facts, find_references, format_place, gather
from pennyworth.checks.config.lines import Lines
from pennyworth.checks.config.modes import find_unserved
from pennyworth.checks.config.needs import list_needs
from pennyworth.checks.config.plain_secrets import find_secrets, names_file
from pennyworth.checks.config.rules import uses_bedrock_role
from pennyworth.checks.config.stack import FUNCTION_VARIABLES, StackSettings
from pennyworth.gateway.config import ConfigError, read
from pennyworth.gateway.credentials import RESERVED
from pennyworth.gateway.grades import ACKNOWLEDGED, SETTINGS, Grade, Key, Place, list_keys
from pennyworth.gateway.includes import INCLUDE
from pennyworth.gateway.yaml_reader import YamlError, compose_yaml, load_yaml
from pennyworth.host.errors import OperationFailed
from pennyworth.setup.config_import.edits import edit_yaml
from pennyworth.setup.config_import.source import find_config

_DROPPED = (Grade.UNSUPPORTED, Grade.MANUAL)


class Step(NamedTuple):
    """Something that was done with a setting, or that is left to do."""

    setting: str
    """Its name, without numbers where it is there several times; empty if it is about none."""
    says: str
    """What, and why. Never contains a secret."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A configuration for the gateway."""

    text: str
    """The new file's."""
    changed: tuple[Step, ...]
    """What is written otherwise."""
    dropped: tuple[Step, ...]
    """What is left out, because it has no effect here."""
    left: tuple[Step, ...]
    """What to do by hand."""


_TOLD = Step("", "")
"""What is dropped and told among the steps that are left."""


def import_config(path: Path) -> Imported:
    """Make a configuration that works here from one of LiteLLM's proxy.

    Args:
        path: its config.yaml, or Helm's values or a ConfigMap with one in it.
    Raises:
        OperationFailed: there is none in the file.
    """
    try:
        source = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise OperationFailed(f"{path}: {error}") from error
    text, around = find_config(source, str(path))
    changed = [Step("", f"taken out of {around}")] if around else []
    document = load_yaml(text)
    if INCLUDE in document:
        text = _merge(path, around)
        changed.append(Step(INCLUDE, "the files are one now, without their comments"))
    facts = _gather(text)
    removed: dict[Place, Step] = {}
    left: list[Step] = []
    for key, step in _list_lost(facts):
        if key.row.grade is Grade.MANUAL:
            left.append(Step(step.setting, f"dropped; {step.says}"))
            removed.setdefault(key.place, _TOLD)
        else:
            removed[key.place] = step
    left += _list_protecting(facts)
    unserved = dict(_list_unserved(facts))
    if len(unserved) < len(facts.entries):
        removed |= unserved
    else:  # a file needs a model
        left += unserved.values()
    for place in _list_role_keys(facts):
        removed[place] = Step(_name(place), "the function's own role opens Bedrock")
    replaced, secrets = _replace_secrets(facts)
    for place in secrets.removed:
        removed[place] = Step(_name(place), "a secret has no place in a file")
    replaced = {place: value for place, value in replaced.items() if not _is_below(place, removed)}
    text, kept = edit_yaml(text, set(removed), replaced)
    if not kept:
        changed.append(Step("", "written anew: the file's comments could not be kept"))
    changed += (Step(_name(place), f"{value} stands for the value") for place, value in replaced.items())
    left += secrets.steps
    if any(uses_bedrock_role(entry, facts) for entry in facts.entries):
        left.append(
            Step("", "set the stack parameter BedrockAccess=yes, so that the function may call Bedrock")
        )
    if variables := _list_variables(text):
        left.append(Step("", f"put these into PROVIDER_CREDENTIALS, as NAME=value: {', '.join(variables)}"))
    dropped = _unique(step for step in removed.values() if step is not _TOLD)
    return Imported(text, _unique(changed), dropped, _unique(left))


def _gather(text: str) -> Facts:
    try:
        lines = Lines(compose_yaml(text))
        environ = dict.fromkeys(FUNCTION_VARIABLES, "set by Lambda")
        return gather(load_yaml(text), lines, environ, StackSettings())
    except YamlError as error:
        raise OperationFailed(f"not valid YAML: {error}") from error


def _merge(path: Path, around: str) -> str:
    if around:
        raise OperationFailed(
            f"{path}: {around} includes other files. Import the configuration from a file of its own"
        )
    try:
        return yaml.safe_dump(read(path), sort_keys=False, allow_unicode=True, width=110)
    except ConfigError as error:
        raise OperationFailed(str(error)) from error


def _list_lost(facts: Facts) -> Iterator[tuple[Key, Step]]:
    """List the keys that have no effect here and protect nothing, with the reason."""
    rows: dict[Place, list[Key]] = {}
    for key in facts.keys:
        rows.setdefault(key.place, []).append(key)
    for keys in rows.values():
        if all(key.row.grade in _DROPPED and not key.row.protects for key in keys):
            yield from ((key, Step(key.path, key.row.says)) for key in keys)


def _list_protecting(facts: Facts) -> Iterator[Step]:
    for key in facts.keys:
        if key.row.protects:
            says = (
                f"{key.row.says}. It stays in the file, as an error, until you remove it or add {key.path} to"
                f" {SETTINGS}.{ACKNOWLEDGED}"
            )
            yield Step(key.path, says)


def _list_unserved(facts: Facts) -> Iterator[tuple[Place, Step]]:
    for entry, message in find_unserved(facts):
        yield entry.place, Step(f"the model {entry.deployment.name}", message)


def _list_role_keys(facts: Facts) -> Iterator[Place]:
    """List references to the function's own AWS credentials, which it uses without."""
    for entry in facts.entries:
        for name, value in entry.params.items():
            if str(value).startswith(REFERENCE) and str(value).removeprefix(REFERENCE) in RESERVED:
                yield (*entry.place, "litellm_params", str(name))


@dataclass(frozen=True, slots=True)
class _Secrets:
    removed: list[Place]
    steps: list[Step]


def _replace_secrets(facts: Facts) -> tuple[dict[Place, str], _Secrets]:
    """Put references in the place of secrets, one variable for each value."""
    replaced: dict[Place, str] = {}
    secrets = _Secrets([], [])
    names: dict[str, str] = {}
    keys = {entry.place: _name_key(facts, entry.place) for entry in facts.entries}
    for place, value in find_secrets(facts):
        if place == ("general_settings", "master_key"):
            secrets.removed.append(place)
            secrets.steps.append(
                Step(
                    _name(place),
                    "add it to LITELLM_API_KEYS, or make a new key: `pennyworth credentials create-key`",
                )
            )
        elif place[0] == "environment_variables":
            secrets.removed.append(place)
            secrets.steps.append(Step(_name(place), f"put {place[-1]}=value into PROVIDER_CREDENTIALS"))
        else:
            wanted = keys.get(place[:2], "") if place[-1] == "api_key" else ""
            name = names.setdefault(value, _choose_name(wanted or _make_name(place), set(names.values())))
            replaced[place] = REFERENCE + name
    for entry in facts.entries:
        for name, value in entry.params.items():
            if names_file(str(name), value):
                place = (*entry.place, "litellm_params", str(name))
                replaced[place] = f"{REFERENCE}VERTEXAI_CREDENTIALS"
                says = "put the file's content into VERTEXAI_CREDENTIALS, in quotes, in PROVIDER_CREDENTIALS"
                secrets.steps.append(Step(_name(place), says))
    return replaced, secrets


def _name_key(facts: Facts, place: Place) -> str:
    """Name the usual variable of an entry's provider."""
    entry = next(entry for entry in facts.entries if entry.place == place)
    bare = {
        name: value for name, value in entry.params.items() if name not in ("api_key", "api_base", "base_url")
    }
    listed = {"model_list": [{"model_name": "m", "litellm_params": bare}]}
    (found,) = gather(listed, facts.lines, {}, StackSettings()).entries or (entry,)
    return next((need.variables[0] for need in list_needs(found.deployment, {}) if need.purpose == "key"), "")


def _make_name(place: Place) -> str:
    words = [str(part) for part in place[-2:] if not isinstance(part, int)]
    words = [word for word in words if word not in ("litellm_params", "general_settings", "litellm_settings")]
    return re.sub(r"\W+", "_", "_".join(words)).upper()


def _choose_name(wanted: str, taken: set[str]) -> str:
    if wanted in RESERVED:
        wanted = f"MODEL_{wanted}"
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _list_variables(text: str) -> list[str]:
    """List the variables that a configuration refers to."""
    document: Mapping[str, Any] = load_yaml(text)
    own = {str(name) for name in document.get("environment_variables") or ()}
    protecting = {key.place[0] for key in list_keys(document, {}) if key.row.protects and len(key.place) == 1}
    used = {name: value for name, value in document.items() if name not in protecting}
    found = {name for _, name in find_references(used, ())}
    return sorted(found - own - FUNCTION_VARIABLES)


def _is_below(place: Place, removed: Mapping[Place, Step]) -> bool:
    return any(place[:length] in removed for length in range(1, len(place) + 1))


def _name(place: Place) -> str:
    return re.sub(r"\[\d+\]", "[]", format_place(place)).removeprefix("model_list[].")


def _unique(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(dict.fromkeys(steps))
