"""The limits of the health check. Standard library only, because --help must work without other packages."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from pennyworth.github.actions import number


def _limit(default: float, describe: str) -> Any:
    return field(default=default, metadata={"describe": describe})


@dataclass(frozen=True, slots=True)
class Limits:
    """Each limit is a variable such as WINDOW_HOURS, a command-line option and an input of the action."""

    window_hours: float = _limit(4, "Hours of CloudWatch metrics to evaluate")
    max_error_percent: float = _limit(5, "Unhealthy if more than this percentage of requests failed (5xx)")
    max_p95_seconds: float = _limit(
        0,
        "Unhealthy if p95 latency was above this in the slowest hour. 0 uses the stack's LatencyAlarmSeconds.",
    )
    min_requests: float = _limit(20, "Minimum number of requests to judge errors and latency")
    certificate_days: float = _limit(20, "Unhealthy if a certificate expires within this many days")
    drift_seconds: float = _limit(180, "Seconds to allow for drift detection. 0 skips it.")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Limits":
        """Read the limits from environment variables. Limits without one keep their defaults.

        Raises:
            OperationFailed: a variable is not a number.
        """
        return cls(
            **{one.name: number(environ, one.name.upper(), getattr(cls(), one.name)) for one in _fields()}
        )


def names() -> list[str]:
    """Return the names of the fields of Limits."""
    return [one.name for one in _fields()]


def describe() -> dict[str, tuple[str, str]]:
    """Return each limit's description and default, by its name with hyphens."""
    return {
        one.name.replace("_", "-"): (str(one.metadata["describe"]), f"{getattr(Limits(), one.name):g}")
        for one in _fields()
    }


def _fields() -> tuple[Field[Any], ...]:
    return fields(Limits)
