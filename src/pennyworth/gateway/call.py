"""One request on its way to an upstream, and one attempt at having it answered."""

import time
from dataclasses import dataclass

from pennyworth.gateway.bodies import Body
from pennyworth.gateway.config import Deployment
from pennyworth.gateway.endpoint import Endpoint
from pennyworth.gateway.http.connection import CONNECT_SECONDS
from pennyworth.gateway.upstreams import Upstream
from pennyworth.gateway.wsgi import Request


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked and ready to go to an upstream."""

    request: Request
    endpoint: Endpoint
    body: Body
    model: str
    """The client's name for it."""
    stream: bool


class Deadline:
    """When an answer is late: as a whole, or because nothing of it comes any more."""

    def __init__(self, end: float, quiet_seconds: float | None = None) -> None:
        """
        Args:
            end: when it must be complete, on time.monotonic()'s clock.
            quiet_seconds: how long nothing may come of a stream, its first event included. None: to the end.
        """
        self._end = end
        self._quiet_seconds = quiet_seconds
        self._last = end

    def touch(self) -> None:
        """Note that the request goes out, from when on silence counts, or that something has come."""
        if self._quiet_seconds:
            self._last = time.monotonic()

    def left(self) -> float:
        """Seconds for an attempt that begins now, none or fewer where the answer is late."""
        left = self._end - time.monotonic()
        return min(left, self._quiet_seconds) if self._quiet_seconds else left

    def has_passed(self) -> bool:
        """Whether the answer is late."""
        now = time.monotonic()
        return now > self._end or bool(self._quiet_seconds and now > self._last + self._quiet_seconds)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One deployment to try."""

    deployment: Deployment
    """Its model is a concrete one."""
    upstream: Upstream
    deadline: Deadline
    connect_seconds: float = CONNECT_SECONDS
    """How long a connection may take to be made."""
