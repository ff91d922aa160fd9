"""What the gateway serves at one moment, made from a configuration and the variables that it refers to."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from pennyworth.gateway.config import Config, parse
from pennyworth.gateway.keys import Keys


@dataclass(frozen=True, slots=True)
class Settings:
    """Never changed, only replaced: a request keeps those that it began with."""

    config: Config
    keys: Keys

    @classmethod
    def of(cls, document: Mapping[str, Any], environ: Mapping[str, str]) -> "Settings":
        """The settings that a configuration makes with some variables.

        Args:
            document: the config file's content.
            environ: LITELLM_API_KEYS, and what the document refers to.
        Raises:
            ConfigError: an entry can't be understood.
        """
        config = parse(document, environ)
        return cls(config, Keys([*environ.get("LITELLM_API_KEYS", "").split(","), *config.keys]))


class Source(Protocol):
    """What gives each request its settings."""

    def __call__(self, *, doubt: bool = False) -> Settings:
        """The settings for a request.

        Args:
            doubt: the former ones refused it, and newer ones may not.
        Raises:
            ApiError: there are none yet.
        """


def constant(settings: Settings) -> Source:
    """Always the same."""

    def source(*, doubt: bool = False) -> Settings:
        return settings

    return source


def spread(environ: MutableMapping[str, str]) -> None:
    """Set the variables that PROVIDER_CREDENTIALS holds as dotenv text: `NAME=value`, one a line.

    A stack's parameters can't name variables freely, so all of a stack's provider credentials travel in this one.
    Variables that are set already stay as they are.
    """
    for line in environ.pop("PROVIDER_CREDENTIALS", "").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        environ.setdefault(name.strip(), value)
