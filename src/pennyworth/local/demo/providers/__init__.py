"""What can stand behind the demo: a table of providers, and beside it their configurations in LiteLLM's format."""

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

_BASE_URL = "UPSTREAM_BASE_URL"


class NotThere(OperationFailed):
    """A provider was asked for that does not run on this machine."""


class NoCredentials(OperationFailed):
    """A provider was asked for whose credentials are not there."""


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
            f"Ollama does not answer at {address} ({error}). Start it (ollama serve), or say where in OLLAMA_HOST."
        ) from error
    yield {_BASE_URL: f"{address}/v1"}


@contextmanager
def _nothing() -> Iterator[Mapping[str, str]]:
    yield {}


@dataclass(frozen=True, slots=True)
class Provider:
    """Someone who answers, and how the demo comes to them."""

    title: str
    model: str
    """The model where none is named."""
    config: str
    """The configuration beside this file that serves it."""
    step: str = ""
    """What `start` does, as a progress line says it; empty where it does nothing."""
    start: Callable[[], Started] = _nothing
    """Start what runs on this machine; gives the variables by which the function reaches it."""
    credentials: Mapping[str, str] = field(default_factory=dict)
    """The function's variables, each by the name that it has here; empty where it is not set here."""
    needs: tuple[tuple[str, ...], ...] = ((),)
    """The sets of variables here one of which must be there."""

    def credentials_here(self) -> tuple[str, ...] | None:
        """The variables with its credentials that lie in the environment; None where some are missing."""
        return next((names for names in self.needs if all(os.environ.get(name) for name in names)), None)

    def variables(self) -> dict[str, str]:
        """What the function gets to know of its credentials.

        Raises:
            NoCredentials: they are not there.
        """
        if self.credentials_here() is None:
            ways = " or ".join(" and ".join(names) for names in self.needs)
            raise NoCredentials(f"{self.title} needs {ways} in the environment.")
        return {theirs: os.environ.get(here, "") for theirs, here in self.credentials.items()}

    def configuration(self, model: str) -> str:
        """Its configuration for a model, in LiteLLM's config.yaml format."""
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
