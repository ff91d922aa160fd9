"""What the gateway serves at one moment, made from a configuration and the variables that it refers to."""

import time
from collections import deque
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pennyworth.gateway.callers import Keys
from pennyworth.gateway.config import Config, Deployment, parse
from pennyworth.gateway.credentials import (
    API_KEYS,
    PROVIDER_CREDENTIALS,
    Problem,
    read_api_keys,
    read_provider_credentials,
)
from pennyworth.gateway.errors import UpstreamFailure
from pennyworth.gateway.upstreams import Upstream, resolve_upstream

PUBLIC = "PENNYWORTH_PUBLIC"
"""Set where others than this machine can reach the gateway."""


_COUNTED_SECONDS = 60.0
"""For how long a failure counts."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Settings:
    """Never changed, only replaced: a request keeps those that it began with."""

    config: Config
    keys: Keys
    _environ: Mapping[str, str] = field(default_factory=dict)
    _upstreams: dict[tuple[int, str, str, bool], Upstream] = field(default_factory=dict)
    _resting: dict[tuple[int, str], float] = field(default_factory=dict)
    """Until when, on time.monotonic()'s clock, by the entry and the upstream's model."""
    _failed: dict[tuple[int, str], deque[float]] = field(default_factory=dict)
    """When those failed that may fail more often than once, in the last minute."""

    @classmethod
    def of(cls, document: Mapping[str, Any], environ: Mapping[str, str]) -> "Settings":
        """The settings that a configuration makes with some variables.

        Args:
            document: the config file's content.
            environ: LITELLM_API_KEYS, LITELLM_MASTER_KEY, PUBLIC, and what the document refers to.
        Raises:
            ConfigError: an entry can't be understood.
        """
        config = parse(document, environ)
        environ = {**environ, **config.environment}
        given = [
            *read_api_keys(environ.get(API_KEYS, ""), stored=False).keys,
            environ.get("LITELLM_MASTER_KEY", ""),
        ]
        keys = Keys([*given, *config.keys], public=bool(environ.get(PUBLIC)))
        settings = cls(config, keys, environ)
        for deployment in config.deployments:
            if deployment.provider:
                settings.upstream(deployment)
        return settings

    def upstream(self, deployment: Deployment) -> Upstream:
        """How a deployment is reached; of a wildcard for any provider, resolved when that is first asked for."""
        key = id(deployment.params), deployment.provider, deployment.lane, deployment.bridged
        known = self._upstreams.get(key)
        if known is None:
            known = self._upstreams[key] = resolve_upstream(
                deployment, self._environ, drop_params=self.config.drop_params
            )
        return known

    def upstreams(self) -> list[Upstream]:
        """Those that have been resolved so far."""
        return list(self._upstreams.values())

    def rest(self, deployment: Deployment, failure: UpstreamFailure, asked_seconds: float = 0.0) -> None:
        """Have a deployment that failed come last for a while, once it has failed more often than it may.

        Args:
            deployment: the one that failed.
            failure: how.
            asked_seconds: for how long its upstream asked not to be called.
        """
        own = (each.get("cooldown_time") for each in (deployment.info, deployment.params))
        seconds = next((number for number in own if number is not None), None)
        if seconds is None:
            seconds = asked_seconds or self.config.cooldown_seconds
        if not seconds or not self.config.cooldowns:
            return
        place, now = (deployment.index, deployment.model), time.monotonic()
        if allowed := self.config.policies.find_allowed_fails(deployment.info, failure):
            failed = self._failed.setdefault(place, deque())
            failed.append(now)
            while failed[0] < now - _COUNTED_SECONDS:
                failed.popleft()
            if len(failed) <= allowed:
                return
        self._resting[place] = now + seconds

    def rested(self, deployments: Sequence[Deployment]) -> list[Deployment]:
        """Those that have not failed a moment ago."""
        if not self._resting:
            return list(deployments)
        now = time.monotonic()
        return [each for each in deployments if self._resting.get((each.index, each.model), 0.0) <= now]


EMPTY = Settings(Config(()), Keys(()))
"""For endpoints that answer whatever the settings are."""


class SettingsProvider(Protocol):
    """What gives each request its settings."""

    def __call__(self, *, refresh: bool = False) -> Settings:
        """The settings for a request.

        Args:
            refresh: those at hand refused it, and newer ones may not.
        Raises:
            ApiError: there are none yet.
        """


def constant(settings: Settings) -> SettingsProvider:
    """Always the same."""

    def provider(*, refresh: bool = False) -> Settings:
        return settings

    return provider


def expand_credentials(environ: MutableMapping[str, str], *, stored: bool = False) -> tuple[Problem, ...]:
    """Set the variables that PROVIDER_CREDENTIALS holds as dotenv text.

    A stack's parameters can't name variables freely, so all of a stack's provider credentials travel in this one.
    Variables that are set already stay as they are.

    Args:
        environ: the variables.
        stored: whether the credentials go into the Parameter Store, and so must fit into it.
    Returns:
        what is wrong with the text.
    """
    text = environ.pop(PROVIDER_CREDENTIALS, "")
    if not text.strip():
        return ()
    read = read_provider_credentials(text, stored=stored)
    for name, value in read.values.items():
        environ.setdefault(name, value)
    return read.problems
