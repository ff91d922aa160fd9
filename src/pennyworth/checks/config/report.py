"""What a check finds."""

from dataclasses import dataclass, field
from enum import StrEnum

LITELLM_MIB = 190
DIRECT_MIB = 4


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """The gateway refuses the file, or a model in it can't ever answer."""
    WARNING = "warning"
    """Something is missing, has no effect, or should stand elsewhere."""
    NOTE = "note"
    """Good to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found."""

    severity: Severity
    line: int | None
    """Counted from 1; None where the file has none for it."""
    place: str
    """The setting: `model_list[0].litellm_params.api_key`."""
    message: str
    """What is the matter and how to fix it. Never holds a secret."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a model needs of the environment."""

    variables: tuple[str, ...]
    """Any one of these variables."""
    purpose: str
    """What for: `key`, `address` ..."""
    parameter: str
    """The parameter in litellm_params that may hold it instead."""
    met: bool


@dataclass(frozen=True, slots=True)
class Model:
    """What becomes of an entry of model_list."""

    line: int | None
    name: str
    provider: str
    """Empty: each request names it."""
    model: str
    lane: str
    reason: str
    """Why that lane."""
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting outside of model_list, or a less usual one inside."""

    line: int | None
    place: str
    honoured: bool


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known of a config file."""

    file: str
    """Its path as it was given; empty without a file."""
    models: tuple[Model, ...] = ()
    settings: tuple[Setting, ...] = ()
    findings: tuple[Finding, ...] = ()
    litellm: bool = False
    """Whether the package holds LiteLLM."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Stack parameters that the configuration asks for."""

    def count(self, severity: Severity) -> int:
        """How many findings there are of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def failed(self, *, strict: bool = False) -> bool:
        """Whether the configuration should not be deployed.

        Args:
            strict: warnings count, too.
        """
        return bool(self.count(Severity.ERROR) or (strict and self.count(Severity.WARNING)))

    def package(self) -> str:
        """What the configuration means for the package's size, in words."""
        return (
            f"with LiteLLM: about {LITELLM_MIB} MiB unzipped, and at least 512 MiB of memory"
            if self.litellm
            else f"without LiteLLM: about {DIRECT_MIB} MiB unzipped, and 256 MiB of memory are enough"
        )
