"""LiteLLM's providers, and what its models are for, extracted from its sources into litellm.json beside this file.

Importing LiteLLM takes seconds, and it is often not installed where a configuration is checked. After changing
the locked version of LiteLLM, run:

    python3 -m pennyworth.checks.config.catalogue > src/pennyworth/checks/config/litellm.json
"""

import ast
import difflib
import importlib.util
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pennyworth.gateway.providers import PROVIDERS
from pennyworth.host.environments import environment
from pennyworth.host.places import work_dir

FILE = Path(__file__).with_name("litellm.json")

ROUTERS = "auto_router"
"""What LiteLLM calls the provider of entries that choose among other models."""

_PRICES = "model_prices_and_context_window_backup.json"


@cache
def list_key_variables() -> dict[str, tuple[str, ...]]:
    """Return the variables that may hold each provider's key. A provider without known variables has ()."""
    return {provider: tuple(variables) for provider, variables in _read()["providers"].items()}


def find_mode(provider: str, model: str) -> str:
    """Return what a model is for, by LiteLLM's name of it (`rerank`); empty for chat, and where that is not known."""
    modes = _read()["modes"]
    return next((str(modes[name]) for name in (f"{provider}/{model}", model) if name in modes), "")


@cache
def _read() -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return kept


def is_known(provider: str) -> bool:
    """Return whether the gateway or LiteLLM has a provider of this name."""
    return provider in PROVIDERS or provider in list_key_variables()


def find_nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar name, as a suggestion for a misspelt one; None if none is similar."""
    return next(iter(difflib.get_close_matches(name, sorted(names), 1, 0.8)), None)


def find_nearest_provider(name: str) -> str | None:
    """Return the provider with the most similar name; None if none is similar."""
    return find_nearest(name, {*PROVIDERS, *list_key_variables()})


@cache
def list_priced_models() -> dict[str, frozenset[str]]:
    """Return the models in LiteLLM's price table, by provider. Empty if LiteLLM is not installed here."""
    for folder in _find_installed():
        try:
            table = json.loads((folder / _PRICES).read_bytes())
        except (OSError, ValueError):
            continue
        models: dict[str, set[str]] = {}
        for name, entry in table.items():
            provider = str(entry.get("litellm_provider", ""))
            models.setdefault(provider, set()).add(name.removeprefix(f"{provider}/"))
        return {provider: frozenset(names) for provider, names in models.items()}
    return {}


def _find_installed() -> Iterator[Path]:
    """Yield folders that may contain LiteLLM, without importing it."""
    spec = importlib.util.find_spec("litellm")
    yield from map(Path, (spec and spec.submodule_search_locations) or ())
    yield from sorted(work_dir().glob("env/litellm-*/lib/python*/site-packages/litellm"))


def read_providers(litellm: Path) -> dict[str, list[str]]:
    """Read each provider's name and the variables of its key from LiteLLM's sources.

    Args:
        litellm: the folder of the package `litellm`.
    Returns:
        the variables by provider; an empty list where the sources name none.
    """
    types = ast.parse((litellm / "types" / "utils.py").read_text(encoding="utf-8"))
    (enum,) = (node for node in types.body if isinstance(node, ast.ClassDef) and node.name == "LlmProviders")
    found: dict[str, list[str]] = {
        node.value.value: []
        for node in enum.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    like_openai = json.loads(
        (litellm / "llms" / "openai_like" / "providers.json").read_text(encoding="utf-8")
    )
    found |= {name: [entry["api_key_env"]] for name, entry in like_openai.items() if "api_key_env" in entry}
    utils = ast.parse((litellm / "utils.py").read_text(encoding="utf-8"))
    (function,) = (
        node
        for node in utils.body
        if isinstance(node, ast.FunctionDef) and node.name == "validate_environment"
    )
    for name, variables in _find_comparisons(function):
        if name in found and not found[name]:
            found[name] = variables
    found.pop(ROUTERS)
    return dict(sorted(found.items()))


def read_modes(litellm: Path) -> dict[str, str]:
    """Read what the models are for from LiteLLM's price table, without those for chat.

    Args:
        litellm: the folder of the package `litellm`.
    """
    table = json.loads((litellm / _PRICES).read_bytes())
    modes = {name: str(entry.get("mode") or "") for name, entry in table.items()}
    return {name: mode for name, mode in sorted(modes.items()) if mode.isidentifier() and mode != "chat"}


def _find_comparisons(function: ast.FunctionDef) -> Iterator[tuple[str, list[str]]]:
    """Yield ("x", ["X_API_KEY"]) for each `if custom_llm_provider == "x": ... "X_API_KEY" ...`."""
    for node in ast.walk(function):
        if not (isinstance(node, ast.If) and "custom_llm_provider" in ast.dump(node.test)):
            continue
        named = [text for text in _list_texts(node.test) if not text.isupper()]
        keys = [
            text
            for statement in node.body
            for text in _list_texts(statement)
            if text.isupper() and text.endswith(("_KEY", "_TOKEN")) and not text.startswith("_")
        ]
        yield from ((name, list(dict.fromkeys(keys))) for name in named)


def _list_texts(node: ast.AST) -> list[str]:
    return [
        child.value
        for child in ast.walk(node)
        if isinstance(child, ast.Constant) and isinstance(child.value, str)
    ]


if __name__ == "__main__":
    (locked,) = environment("litellm").parent.glob("lib/python*/site-packages/litellm")
    print(json.dumps({"providers": read_providers(locked), "modes": read_modes(locked)}, indent=1))
