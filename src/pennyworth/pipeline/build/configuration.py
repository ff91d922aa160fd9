"""A LiteLLM config file as a package holds it, and whether it needs the LiteLLM lane.

The gateway itself decides that, in an environment of its own, because the build runs where no YAML reader is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.places import ROOT
from pennyworth.pipeline.build.tools import run

_CONFIG = Path("config.yaml")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a package is configured with."""

    document: str | None
    """config.json's text, references such as `os.environ/NAME` unresolved; None without a file."""
    needs_litellm: bool
    """Whether any of its models needs LiteLLM. True without a file and provider: any may follow at deployment."""


def find_configuration(environ: Mapping[str, str]) -> Path | None:
    """The configuration to deploy: CONFIG, else the workspace's config.yaml if there is one."""
    if environ.get("CONFIG"):
        return Path(environ["CONFIG"])
    return _CONFIG if _CONFIG.exists() else None


def read_configuration(path: Path | None, provider: str) -> Configuration:
    """Read a config file, or see what a provider needs.

    Args:
        path: a LiteLLM config file.
        provider: without a file, LiteLLM's name of the provider that serves all models; may be empty.
    Raises:
        BuildFailed: the gateway would refuse it.
    """
    if not path and not provider:
        return Configuration(None, True)
    said = run(
        [environment("gateway") / "python", "-c", _READ, path or ""],
        "The configuration can't be used.",
        {**clean_environ(), "PYTHONPATH": str(ROOT / "src"), "LITELLM_MODEL_PROVIDER": provider},
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
