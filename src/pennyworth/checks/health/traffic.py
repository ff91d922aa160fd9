"""What CloudWatch counted: how many requests failed, and how long they took.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from pennyworth.checks.finding import Findings, ok, unhealthy, warning
from pennyworth.checks.health.subject import Subject

_HOUR_SECONDS = 3600
_DEFAULT_P95_SECONDS = 120.0

_METRICS = {
    # our name: (namespace, metric, statistic)
    "requests": ("AWS/ApiGateway", "Count", "Sum"),
    "failed": ("AWS/ApiGateway", "5XXError", "Sum"),
    "refused": ("AWS/ApiGateway", "4XXError", "Sum"),
    "p95": ("AWS/ApiGateway", "Latency", "p95"),
    "invocations": ("AWS/Lambda", "Invocations", "Sum"),
    "crashed": ("AWS/Lambda", "Errors", "Sum"),
    "throttled": ("AWS/Lambda", "Throttles", "Sum"),
    "function_p95": ("AWS/Lambda", "Duration", "p95"),
    "at_once": ("AWS/Lambda", "ConcurrentExecutions", "Maximum"),
}

Hours = Mapping[datetime, float]
"""A metric's value in each hour in which it has one."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What happened in a number of hours."""

    hours: Mapping[str, Hours]
    """By the names of _METRICS."""

    def total(self, name: str) -> int:
        """Of a metric that is counted."""
        return round(sum(self.hours[name].values()))

    def highest(self, name: str) -> float:
        """Of a metric that is measured."""
        return max(self.hours[name].values(), default=0.0)

    def slowest(self, at_least: float) -> float | None:
        """The longest p95 of an hour with so many requests, in seconds; None where no hour had."""
        counted = self.hours["requests"]
        judged = [value for hour, value in self.hours["p95"].items() if counted.get(hour, 0) >= at_least]
        return max(judged) / 1000 if judged else None

    @property
    def error_percent(self) -> float:
        """How many requests failed."""
        return 100 * self.total("failed") / self.total("requests") if self.total("requests") else 0.0


def fetch_traffic(subject: Subject) -> Traffic:
    """Ask CloudWatch, in whole hours: with a percentile nothing can be added up."""
    now = datetime.now(UTC)
    from_hour = now - timedelta(hours=subject.limits.window_hours)
    stage = urlsplit(subject.outputs.get("ApiUrl", "")).path.strip("/")
    dimensions = {
        "AWS/ApiGateway": {"ApiName": subject.stack, "Stage": stage},
        "AWS/Lambda": {"FunctionName": subject.outputs.get("FunctionName", "")},
    }
    queries = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": metric,
                    "Dimensions": [
                        {"Name": key, "Value": value} for key, value in dimensions[namespace].items()
                    ],
                },
                "Period": _HOUR_SECONDS,
                "Stat": statistic,
            },
        }
        for name, (namespace, metric, statistic) in _METRICS.items()
    ]
    pages = (
        subject.account.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(
            MetricDataQueries=queries,
            StartTime=from_hour.replace(minute=0, second=0, microsecond=0),
            EndTime=now,
        )
    )
    hours: dict[str, dict[datetime, float]] = {name: {} for name in _METRICS}
    for page in pages:
        for result in page["MetricDataResults"]:
            hours[result["Id"]].update(zip(result["Timestamps"], result["Values"], strict=True))
    return Traffic(hours)


def check_traffic(subject: Subject) -> Findings:
    """Whether requests succeed, and in time."""
    limits = subject.limits
    seen = fetch_traffic(subject)
    requests, percent = seen.total("requests"), seen.error_percent
    window = f"in {limits.window_hours:g} hours"
    p95 = seen.slowest(limits.min_requests)
    figures: dict[str, float] = {"requests": requests}
    if requests:
        figures["error_percent"] = round(percent, 3)
    if p95 is not None:
        figures["p95_ms"] = round(p95 * 1000)
    if seen.total("throttled"):
        yield warning(
            f"Lambda turned {seen.total('throttled')} away {window}",
            "The account's concurrency was used up: ask for more in Service Quotas.",
        )
    crashes = seen.total("crashed")
    if crashes and seen.total("invocations") >= limits.min_requests:
        share = 100 * crashes / seen.total("invocations")
        said = unhealthy if share > limits.max_error_percent else warning
        yield said(
            f"the function crashed {crashes} times {window} ({share:.1f} %)", "Look into the function's log."
        )
    if not requests:
        yield ok(f"no traffic {window}", figures)
        return
    told = f"{requests} requests {window}: {seen.total('failed')} failed ({percent:.1f} %)"
    told += f", {seen.total('refused')} refused (4xx)"
    told += f", at most {seen.highest('at_once'):.0f} at once" if seen.hours["at_once"] else ""
    if requests < limits.min_requests:
        if seen.total("failed"):
            yield warning(f"{told}; too few to judge by", "Look into the function's log.", figures)
        else:
            yield ok(told, figures)
        return
    told += f"; one in twenty took longer than {p95:.1f} s" if p95 is not None else ""
    longest = _longest(subject)
    if percent > limits.max_error_percent:
        yield unhealthy(
            told, "Look into the function's log: its last failures are on the dashboard, too.", figures
        )
    elif p95 is not None and p95 > longest:
        yield unhealthy(
            f"{told}, more than {longest:g}",
            "Look at the provider first. Where such answers are meant to be long, raise max-p95-seconds.",
            figures,
        )
    else:
        yield ok(told, figures)


def _longest(subject: Subject) -> float:
    """What one request in twenty may take, in seconds."""
    given = subject.parameters.get("LatencyAlarmSeconds", "")
    return subject.limits.max_p95_seconds or (float(given) if given else _DEFAULT_P95_SECONDS)
