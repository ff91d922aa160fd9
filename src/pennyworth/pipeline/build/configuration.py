"""Convert a LiteLLM config file for the package, and check whether it needs the LiteLLM lane.

The gateway does both, in its own environment, because the build's environment has no YAML parser.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.source_tree import source_tree
from pennyworth.pipeline.build.tools import run

_CONFIG = Path("config.yaml")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration of a package."""

    document: str | None
    """The text of config.json, with unresolved references such as `os.environ/NAME`; None without a config file."""
    needs_litellm: bool
    """Whether any model needs LiteLLM. True without a config file and provider, because deployment may choose any."""


def find_configuration(environ: Mapping[str, str]) -> Path | None:
    """Find the config file to deploy: CONFIG, or config.yaml in the working directory, if it exists."""
    if environ.get("CONFIG"):
        return Path(environ["CONFIG"])
    return _CONFIG if _CONFIG.exists() else None


def read_configuration(path: Path | None, provider: str) -> Configuration:
    """Read a config file, or check what a provider needs.

    Args:
        path: a LiteLLM config file, if there is one.
        provider: without a config file, LiteLLM's name of the provider of all models, or an empty string.
    Returns:
        the configuration.
    Raises:
        BuildFailed: the gateway rejects the configuration.
    """
    if not path and not provider:
        return Configuration(None, True)
    said = run(
        [environment("gateway") / "python", "-c", _READ, path or ""],
        "The configuration is invalid.",
        {**clean_environ(), "PYTHONPATH": str(source_tree() / "src"), "LITELLM_MODEL_PROVIDER": provider},
    )
    answer = json.loads(said)
    document = answer["document"]
    text = (
        None
        if document is None
        else json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    )
    return Configuration(text, answer["needs_litellm"])


_READ = """
import json, os, sys
from pathlib import Path
from pennyworth.gateway.config import ConfigError, load, read
path = Path(sys.argv[1]) if sys.argv[1] else None
try:
    document, config = path and read(path), load(path, os.environ)
except ConfigError as error:
    sys.exit(str(error))
print(json.dumps({"document": document, "needs_litellm": config.needs_litellm()}))
"""
