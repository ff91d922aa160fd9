"""Reads a function's log group.

FilterLogEvents is polled, also to follow the log: it is free, needs one read permission, and works in every region.
StartLiveTail costs money by the minute and needs another permission.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pennyworth.aws.errors import is_absent
from pennyworth.host.errors import OperationFailed

_LATE_SECONDS = 15.0
"""How much later than others an event of the same time may become readable."""
_POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A line of the log."""

    id: str
    time: float
    """Seconds since 1970."""
    line: str


@dataclass(frozen=True, slots=True)
class FunctionLog:
    """A log group."""

    client: Any
    """boto3's client for CloudWatch Logs."""
    group: str
    pattern: str = ""
    """A filter pattern of CloudWatch Logs: only events that match it are read."""

    def fetch(self, since: float) -> Iterator[LogEvent]:
        """Fetch the events since a time, in seconds since 1970, oldest first.

        Raises:
            OperationFailed: there is no such log group.
        """
        given = {"filterPattern": self.pattern} if self.pattern else {}
        pages = self.client.get_paginator("filter_log_events").paginate(
            logGroupName=self.group, startTime=int(since * 1000), **given
        )
        try:
            for page in pages:
                for event in page["events"]:
                    yield LogEvent(event["eventId"], event["timestamp"] / 1000, event["message"].rstrip("\n"))
        except ClientError as failure:
            if is_absent(failure):
                raise OperationFailed(
                    f"There is no log group {self.group}", "Deploy again to create it."
                ) from failure
            raise

    def follow(self, since: float) -> Iterator[LogEvent]:
        """Fetch the events since a time, then each further one as it comes. Never ends."""
        seen: dict[str, float] = {}
        while True:
            for event in self.fetch(since):
                if event.id not in seen:
                    seen[event.id] = event.time
                    yield event
            # once more what may have come late, but nothing twice
            since = max(since, max(seen.values(), default=0.0) - _LATE_SECONDS)
            seen = {id: at for id, at in seen.items() if at >= since - _LATE_SECONDS}
            time.sleep(_POLL_SECONDS)
