"""From where on something is wrong. Standard library only: the command line tells them before there are libraries."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from pennyworth.github.actions import number


def _limit(default: float, describe: str) -> Any:
    return field(default=default, metadata={"describe": describe})


@dataclass(frozen=True, slots=True)
class Limits:
    """Each is a variable such as WINDOW_HOURS, an option of the command and an input of the action."""

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
        """The limits that variables set; the others are the defaults.

        Raises:
            OperationFailed: one is no number.
        """
        return cls(
            **{one.name: number(environ, one.name.upper(), getattr(cls(), one.name)) for one in _fields()}
        )


def names() -> list[str]:
    """The limits' names, as Limits takes them."""
    return [one.name for one in _fields()]


def describe() -> dict[str, tuple[str, str]]:
    """Each limit's name with hyphens: what it is, and its default."""
    return {
        one.name.replace("_", "-"): (str(one.metadata["describe"]), f"{getattr(Limits(), one.name):g}")
        for one in _fields()
    }


def _fields() -> tuple[Field[Any], ...]:
    return fields(Limits)
