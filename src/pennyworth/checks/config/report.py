"""The results of checking a config file."""

from dataclasses import dataclass, field
from enum import StrEnum

from pennyworth.gateway.grades import Grade

LITELLM_MIB = 190
DIRECT_MIB = 4


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """The gateway refuses the file, or a model in it can never answer."""
    WARNING = "warning"
    """Something is missing, has no effect, or is in the wrong place."""
    NOTE = "note"
    """Worth knowing, but not a problem."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of the check."""

    severity: Severity
    line: int | None
    """Counted from 1; None if the finding has no line."""
    place: str
    """The setting's name, such as `model_list[0].litellm_params.api_key`."""
    message: str
    """What is wrong and how to fix it. Never contains a secret."""
    more: tuple[int, ...] = ()
    """Further lines of which the same is to be said."""


@dataclass(frozen=True, slots=True)
class Need:
    """A value that a model needs from the environment."""

    variables: tuple[str, ...]
    """Setting any one of these is enough."""
    purpose: str
    """What the value is: `key`, `address` ..."""
    parameter: str
    """The parameter in litellm_params that can set it instead."""
    met: bool


@dataclass(frozen=True, slots=True)
class Model:
    """How the gateway will serve an entry of model_list."""

    line: int | None
    name: str
    provider: str
    """Empty if each request names the provider."""
    model: str
    lane: str
    reason: str
    """Why the model takes this lane."""
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of the file, and what becomes of it."""

    name: str
    """Without numbers: `litellm_params.timeout`."""
    grade: Grade
    says: str
    """How it differs, what to do, or why."""
    lines: tuple[int, ...]
    """Where it is, each line once."""
    count: int
    """How often it is there."""
    protects: bool = False
    """Whether it keeps people, data or money safe."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything known about a config file."""

    file: str
    """The path as given; empty without a file."""
    models: tuple[Model, ...] = ()
    settings: tuple[Setting, ...] = ()
    findings: tuple[Finding, ...] = ()
    litellm: bool = False
    """Whether the function's package contains LiteLLM."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Stack parameters that the configuration needs."""

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def failed(self, *, strict: bool = False) -> bool:
        """Return whether the configuration has errors and should not be deployed.

        Args:
            strict: whether warnings count as errors.
        """
        return bool(self.count(Severity.ERROR) or (strict and self.count(Severity.WARNING)))

    def describe_package(self) -> str:
        """Describe the package's size and the memory it needs, in words."""
        return (
            f"with LiteLLM: about {LITELLM_MIB} MiB unzipped, needs at least 512 MiB of memory"
            if self.litellm
            else f"without LiteLLM: about {DIRECT_MIB} MiB unzipped, 256 MiB of memory are enough"
        )
