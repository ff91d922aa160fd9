"""Finds what a LiteLLM config file needs, for a demo that serves it."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.processes import Child
from pennyworth.host.progress import say
from pennyworth.host.scratch import scratch
from pennyworth.host.source_tree import source_tree

_REFERENCE = re.compile(r"os\.environ/(\w+)")
_KEY = "_API_KEY"
_ADDRESSES = ("_BASE_URL", "_API_BASE")


class NotServable(OperationFailed):
    """The demo can't serve the file. The message says why."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a file needs, and how its models are reached."""

    variables: dict[str, str] = field(repr=False)
    """The variables that the gateway needs, as far as they are set."""
    lanes: dict[str, str]
    """Each model's lane: `direct` or `litellm`."""


def find_needs(config: Path, environ: Mapping[str, str]) -> Needs:
    """Find what a file needs. Print what is wrong with it, and which variables are not set.

    Args:
        config: a LiteLLM config file.
        environ: the variables to choose from.
    Raises:
        NotServable: the file is missing, or no model in it can be served.
    """
    if not config.is_file():
        raise NotServable(f"There is no file {config}.")
    report = _check(config, environ)
    for finding in report["findings"]:
        if finding["severity"] == "error":
            line = f"line {finding['line']}: " if finding["line"] else ""
            say(f"  ! {config}: {line}{finding['message']}")
    if not report["models"]:
        raise NotServable(f"No model in {config} can be served.")
    names = dict.fromkeys(_REFERENCE.findall(config.read_text(encoding="utf-8")))
    for model in report["models"]:
        for need in model["needs"]:
            names |= dict.fromkeys(need["variables"])
            if not need["met"]:
                say(f"  ! {model['name']} needs {' or '.join(need['variables'])}, which is not set")
    # where a key is for another address than its provider's, that is in a variable too
    keys = [name.removesuffix(_KEY) for name in names if name.endswith(_KEY)]
    names |= dict.fromkeys(f"{key}{address}" for key in keys for address in _ADDRESSES)
    return Needs(
        {name: environ[name] for name in names if environ.get(name)},
        {model["name"]: model["lane"] for model in report["models"]},
    )


def _check(config: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """Run `pennyworth config check`, in the environment that has its libraries."""
    unclean = os.environ.keys() - clean_environ().keys()
    own = {name: value for name, value in environ.items() if name not in unclean}
    command: list[str | Path] = [environment("gateway") / "python", "-m", "pennyworth.cli", "config", "check"]
    with (
        scratch("demo-config") as folder,
        Child(
            [*command, "--json", config.resolve()],
            log=folder / "log",
            env={**own, "PYTHONPATH": str(source_tree() / "src")},
        ) as child,
    ):
        child.wait()
        text = child.log.read_text(encoding="utf-8")
    try:
        report: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise NotServable(f"{config} can't be checked:\n{text.strip()}") from error
    return report
