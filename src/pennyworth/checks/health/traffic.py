"""Checks CloudWatch metrics: how many requests failed, and how long they took.

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
"""A metric's value by hour. Hours without a value are missing."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The metrics of the last hours."""

    hours: Mapping[str, Hours]
    """The metrics by their names in _METRICS."""

    def total(self, name: str) -> int:
        """Return the sum of a metric over all hours."""
        return round(sum(self.hours[name].values()))

    def highest(self, name: str) -> float:
        """Return the highest value of a metric."""
        return max(self.hours[name].values(), default=0.0)

    def slowest(self, at_least: float) -> float | None:
        """Return the highest p95 latency in seconds of all hours with enough requests; None without any."""
        counted = self.hours["requests"]
        judged = [value for hour, value in self.hours["p95"].items() if counted.get(hour, 0) >= at_least]
        return max(judged) / 1000 if judged else None

    @property
    def error_percent(self) -> float:
        """The percentage of requests that failed."""
        return 100 * self.total("failed") / self.total("requests") if self.total("requests") else 0.0


def fetch_traffic(subject: Subject) -> Traffic:
    """Fetch the metrics from CloudWatch, hour by hour, because percentiles can't be added up."""
    now = datetime.now(UTC)
    from_hour = now - timedelta(hours=subject.limits.window_hours)
    stage = urlsplit(subject.base_url).path.strip("/")
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
    """Check the error rate and the latency."""
    limits = subject.limits
    seen = fetch_traffic(subject)
    requests, percent = seen.total("requests"), seen.error_percent
    window = f"in the last {limits.window_hours:g} hours"
    p95 = seen.slowest(limits.min_requests)
    figures: dict[str, float] = {"requests": requests}
    if requests:
        figures["error_percent"] = round(percent, 3)
    if p95 is not None:
        figures["p95_ms"] = round(p95 * 1000)
    if seen.total("throttled"):
        yield warning(
            f"Lambda throttled {seen.total('throttled')} requests {window}",
            "The account's concurrency limit was reached: request a higher one in Service Quotas.",
        )
    crashes = seen.total("crashed")
    if crashes and seen.total("invocations") >= limits.min_requests:
        share = 100 * crashes / seen.total("invocations")
        said = unhealthy if share > limits.max_error_percent else warning
        yield said(
            f"the function crashed {crashes} times {window} ({share:.1f} %)", "Read the function's log."
        )
    if not requests:
        yield ok(f"no requests {window}", figures)
        return
    told = f"{requests} requests {window}: {seen.total('failed')} failed ({percent:.1f} %)"
    told += f", {seen.total('refused')} refused (4xx)"
    told += f", at most {seen.highest('at_once'):.0f} at once" if seen.hours["at_once"] else ""
    if requests < limits.min_requests:
        if seen.total("failed"):
            yield warning(f"{told}; too few to judge the error rate", "Read the function's log.", figures)
        else:
            yield ok(told, figures)
        return
    told += f"; p95 latency up to {p95:.1f} s" if p95 is not None else ""
    longest = _longest(subject)
    if percent > limits.max_error_percent:
        yield unhealthy(told, "Read the function's log. The dashboard also shows the last failures.", figures)
    elif p95 is not None and p95 > longest:
        yield unhealthy(
            f"{told}, above the limit of {longest:g} s",
            "Check the provider first. If long answers are normal for you, raise max-p95-seconds.",
            figures,
        )
    else:
        yield ok(told, figures)


def _longest(subject: Subject) -> float:
    """Return the limit for the p95 latency, in seconds."""
    given = subject.parameters.get("LatencyAlarmSeconds", "")
    return subject.limits.max_p95_seconds or (float(given) if given else _DEFAULT_P95_SECONDS)
