"""The table of providers for the demo. Their configurations, in LiteLLM's format, are beside this file."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from pennyworth.host.errors import OperationFailed
from pennyworth.local.llm import model as language_model
from pennyworth.local.llm import scripted

KEY_PREFIX = "sk-demo-"
"""The first part of the demo's own API key."""

_BASE_URL = "UPSTREAM_BASE_URL"


class NotThere(OperationFailed):
    """The chosen provider does not run on this machine."""


class NoCredentials(OperationFailed):
    """The chosen provider's credentials are missing."""


def environ() -> dict[str, str]:
    """Return this process's variables, without those that a demo has told to export: they lead back to it."""
    own = os.environ.get("OPENAI_API_KEY", "").startswith(KEY_PREFIX)
    dropped = ("OPENAI_API_KEY", "OPENAI_BASE_URL") if own else ()
    return {name: value for name, value in os.environ.items() if name not in dropped}


Started = AbstractContextManager[Mapping[str, str]]


@contextmanager
def _smollm2() -> Iterator[Mapping[str, str]]:
    with language_model.LanguageModel() as running:
        yield {_BASE_URL: running.base_url}


@contextmanager
def _scripted() -> Iterator[Mapping[str, str]]:
    with scripted.ScriptedUpstream(scripted.Answer(pace=0.03)) as running:
        yield {_BASE_URL: running.base_url}


@contextmanager
def _ollama() -> Iterator[Mapping[str, str]]:
    named = os.environ.get("OLLAMA_HOST") or "127.0.0.1"
    parts = urlsplit(named if "://" in named else f"http://{named}")
    host = "127.0.0.1" if parts.hostname in (None, "0.0.0.0") else parts.hostname  # noqa: S104  # what it binds
    address = f"{parts.scheme}://{host}:{parts.port or 11434}"
    try:
        build_opener(ProxyHandler({})).open(f"{address}/api/version", timeout=10).close()
    except (OSError, ValueError) as error:
        raise NotThere(
            f"Ollama does not answer at {address} ({error}). Run `ollama serve`, or set OLLAMA_HOST to its address."
        ) from error
    yield {_BASE_URL: f"{address}/v1"}


@contextmanager
def _nothing() -> Iterator[Mapping[str, str]]:
    yield {}


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, and how the demo reaches it."""

    title: str
    model: str
    """The default model."""
    config: str
    """The name of its configuration file."""
    step: str = ""
    """What `start` does, for the progress line. Empty: nothing."""
    start: Callable[[], Started] = _nothing
    """Starts the local server, and returns the function's variables to reach it."""
    credentials: Mapping[str, str] = field(default_factory=dict)
    """The function's variables and the local variables to copy them from; empty if there is none."""
    needs: tuple[tuple[str, ...], ...] = ((),)
    """Sets of local variables. One of the sets must be complete."""

    def credentials_here(self) -> tuple[str, ...] | None:
        """Return the variables with its credentials; None if some are missing."""
        here = environ()
        return next((names for names in self.needs if all(here.get(name) for name in names)), None)

    def variables(self) -> dict[str, str]:
        """Return the function's variables with its credentials.

        Raises:
            NoCredentials: the credentials are missing.
        """
        if self.credentials_here() is None:
            ways = " or ".join(" and ".join(names) for names in self.needs)
            raise NoCredentials(f"{self.title} needs {ways} in the environment.")
        given = environ()
        return {theirs: given.get(here, "") for theirs, here in self.credentials.items()}

    def configuration(self, model: str) -> str:
        """Return its configuration for a model, in the format of LiteLLM's config.yaml."""
        text = (Path(__file__).parent / f"{self.config}.yaml").read_text(encoding="utf-8")
        return Template(text).substitute(model=model)


PROVIDERS = {
    "smollm2": Provider(
        "SmolLM2", language_model.NAME, "local", "starting SmolLM2 on this machine", _smollm2
    ),
    "scripted": Provider(
        "a scripted upstream", scripted.NAME, "local", "starting a scripted upstream", _scripted
    ),
    "ollama": Provider("Ollama", "llama3.2", "local", "looking for Ollama", _ollama),
    "openai": Provider(
        "OpenAI",
        "gpt-5.4-mini",
        "openai",
        credentials={"OPENAI_API_KEY": "OPENAI_API_KEY", "OPENAI_BASE_URL": "OPENAI_BASE_URL"},
        needs=(("OPENAI_API_KEY",),),
    ),
    "anthropic": Provider(
        "Anthropic",
        "claude-haiku-4-5",
        "anthropic",
        credentials={"ANTHROPIC_API_KEY": "ANTHROPIC_API_KEY"},
        needs=(("ANTHROPIC_API_KEY",),),
    ),
    "bedrock": Provider(
        "Amazon Bedrock",
        "us.amazon.nova-micro-v1:0",
        "bedrock",
        credentials={
            "BEDROCK_REGION": "AWS_REGION",
            "BEDROCK_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID",
            "BEDROCK_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY",
            "BEDROCK_SESSION_TOKEN": "AWS_SESSION_TOKEN",
            "AWS_BEARER_TOKEN_BEDROCK": "AWS_BEARER_TOKEN_BEDROCK",
        },
        needs=(
            ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            ("AWS_REGION", "AWS_BEARER_TOKEN_BEDROCK"),
        ),
    ),
}
