"""Models that stand in for one that fails, as LiteLLM's config names them.

Format: https://docs.litellm.ai/docs/proxy/reliability
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pennyworth.gateway.errors import UpstreamFailure

ANY = "*"
"""Stands for every model that has no fallbacks of its own."""

_KINDS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_SECTIONS = ("router_settings", "litellm_settings")
"""Where they may stand; the first wins."""

_TOO_LONG_CODES = frozenset(["context_length_exceeded", "string_above_max_length"])
_TOO_LONG = ("context length", "context window", "prompt is too long", "too many tokens", "input is too long")
_FILTERED_CODES = frozenset(["content_filter", "content_policy_violation"])
_FILTERED = ("content management policy", "content policy", "responsible ai")

Names = Mapping[str, tuple[str, ...]]
Problem = tuple[str, tuple[str | int, ...]]
"""What is wrong, and where in the file's mapping."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fallbacks:
    """Which models are tried, by the name of the one that failed."""

    general: Names = field(default_factory=dict)
    context_window: Names = field(default_factory=dict)
    """For requests that are too long for the model."""
    content_policy: Names = field(default_factory=dict)
    """For requests that a provider's filter refuses."""
    most: int = 5
    """How many are tried for a request."""

    def find(self, model: str, failure: UpstreamFailure) -> tuple[str, ...]:
        """Find the models to try after a failure.

        None where the call may have been paid, or where the client has to mend it.
        """
        if _says(failure, _TOO_LONG_CODES, _TOO_LONG):
            special, general = self.context_window, True
        elif _says(failure, _FILTERED_CODES, _FILTERED):
            special, general = self.content_policy, True
        else:
            special, general = {}, failure.refused or not failure.sent or failure.status == 404
        found = special.get(model) or special.get(ANY)
        if not found and general:
            found = self.general.get(model) or self.general.get(ANY)
        return found or ()

    def targets(self) -> Iterator[tuple[str, str]]:
        """Each model that stands in for another one, with the setting that names it."""
        for kind, names in zip(_KINDS, (self.general, self.context_window, self.content_policy), strict=True):
            yield from ((kind, target) for listed in names.values() for target in listed)


NONE = Fallbacks()


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
    read: list[dict[str, tuple[str, ...]]] = []
    for kind in _KINDS:
        names: dict[str, tuple[str, ...]] = {}
        section = next((each for each in _SECTIONS if sections[each].get(kind)), "")
        value = sections[section][kind] if section else []
        for index, entry in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(entry, Mapping):
                path = (section, kind, index)
                problems.append((f"{section}.{kind}: a list of MODEL: [MODEL, ...] is expected", path))
                continue
            for model, targets in entry.items():
                if (listed := _names(targets)) is None:
                    message = f"{section}.{kind}: a list of models' names is expected for {model}"
                    problems.append((message, (section, kind, index, str(model))))
                    continue
                names.setdefault(str(model), listed)
        read.append(names)
    section = next((each for each in _SECTIONS if sections[each].get("default_fallbacks")), "")
    if section:
        listed = _names(sections[section]["default_fallbacks"])
        if listed is None:
            message = f"{section}.default_fallbacks: a list of models' names is expected"
            problems.append((message, (section, "default_fallbacks")))
        else:
            read[0].setdefault(ANY, listed)
    if not any(read) and not problems:
        return NONE, problems
    general, context_window, content_policy = read
    return Fallbacks(general, context_window, content_policy), problems


def _names(value: Any) -> tuple[str, ...] | None:
    listed = value if isinstance(value, list) else [value]
    return tuple(listed) if all(isinstance(name, str) and name for name in listed) else None
