"""Models that stand in for one that fails, as LiteLLM's config names them.

Format: https://docs.litellm.ai/docs/proxy/reliability
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pennyworth.gateway.errors import UpstreamFailure

ANY = "*"
"""Stands for every model that has no fallbacks of its own."""

FALLBACK_KINDS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_DEFAULT = "default_fallbacks"
FALLBACK_SETTINGS = (*FALLBACK_KINDS, _DEFAULT)
_SECTIONS = ("router_settings", "litellm_settings")
"""Where they may stand; the first wins."""

_TOO_LONG_CODES = frozenset(["context_length_exceeded", "string_above_max_length"])
_TOO_LONG = ("context length", "context window", "prompt is too long", "too many tokens", "input is too long")
_FILTERED_CODES = frozenset(["content_filter", "content_policy_violation"])
_FILTERED = ("content management policy", "content policy", "responsible ai")

Names = Mapping[str, tuple[str, ...]]
Place = tuple[str | int, ...]
"""Keys and indices from the top of the file's mapping."""
Problem = tuple[str, Place]
"""What is wrong, and where."""

_EXPECTED = dict.fromkeys(FALLBACK_KINDS, "[{MODEL: [MODEL, ...]}]") | {_DEFAULT: "[MODEL, ...]"}


class Fallbacks(NamedTuple):
    """Which models are tried, by the name of the one that failed."""

    general: Names = MappingProxyType({})
    context_window: Names = MappingProxyType({})
    """For requests that are too long for the model."""
    content_policy: Names = MappingProxyType({})
    """For requests that a provider's filter refuses."""
    most: float = 5
    """How many are tried for a request."""

    def find(self, model: str, failure: UpstreamFailure, real: str | None = None) -> tuple[str, ...]:
        """Find the models to try after a failure.

        None where the call may have been paid, or where the client has to mend it.

        Args:
            model: the name of the one that failed.
            failure: how.
            real: what that name is an alias of.
        """
        if is_too_long(failure):
            special, general = self.context_window, True
        elif is_filtered(failure):
            special, general = self.content_policy, True
        else:
            special, general = {}, failure.refused or not failure.sent or failure.status == 404
        kinds = [special, self.general] if general else [special]
        names = (kind.get(name) for kind in kinds for name in (model, real or model, ANY))
        return next(filter(None, names), ())


def is_too_long(failure: UpstreamFailure) -> bool:
    """Whether the request is too long for the model."""
    return _says(failure, _TOO_LONG_CODES, _TOO_LONG)


def is_filtered(failure: UpstreamFailure) -> bool:
    """Whether a provider's filter refuses the request."""
    return _says(failure, _FILTERED_CODES, _FILTERED)


def _says(failure: UpstreamFailure, codes: frozenset[str], phrases: tuple[str, ...]) -> bool:
    if failure.code in codes:
        return True
    message = failure.message.lower()
    return failure.status in (400, 413, 422) and any(phrase in message for phrase in phrases)


def read_fallbacks(sections: Mapping[str, Mapping[str, Any]]) -> tuple[Fallbacks, list[Problem]]:
    """Read the fallbacks from a config file's sections.

    Args:
        sections: router_settings and litellm_settings.
    Returns:
        the fallbacks, and what is wrong with them.
    """
    problems: list[Problem] = []
    read: dict[str, dict[str, tuple[str, ...]]] = {kind: {} for kind in FALLBACK_KINDS}
    for path, model, targets in list_fallbacks(sections):
        if targets is None:
            section, setting = path[:2]
            problems.append((f"{section}.{setting}: expected {_EXPECTED[str(setting)]}", path))
        else:
            kind = "fallbacks" if path[1] == _DEFAULT else str(path[1])
            read[kind].setdefault(model, targets)
    general, context_window, content_policy = read.values()
    return Fallbacks(general, context_window, content_policy), problems


def list_fallbacks(sections: Mapping[str, Any]) -> Iterator[tuple[Place, str, tuple[str, ...] | None]]:
    """List what a config file says of fallbacks, the default ones last.

    Args:
        sections: the file's mapping, or a part of it with router_settings and litellm_settings.
    Yields:
        where it stands, the model's name, and the names of those that stand in for it; None where they are no names.
    """
    for setting in FALLBACK_SETTINGS:
        found = ((each, sections.get(each)) for each in _SECTIONS)
        given = (
            (each, held[setting]) for each, held in found if isinstance(held, Mapping) and held.get(setting)
        )
        section, value = next(given, ("", None))
        if not section:
            continue
        if setting == _DEFAULT:
            yield (section, setting), ANY, _names(value)
            continue
        for index, entry in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(entry, Mapping):
                yield (section, setting, index), "", None
                continue
            for model, targets in entry.items():
                yield (section, setting, index, str(model)), str(model), _names(targets)


def _names(value: Any) -> tuple[str, ...] | None:
    listed = value if isinstance(value, list) else [value]
    return tuple(listed) if all(isinstance(name, str) and name for name in listed) else None
