"""One request on its way to an upstream, and one attempt at having it answered."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from pennyworth.gateway.asked import NOTHING_ASKED, Asked
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
    asked: Asked = NOTHING_ASKED
    """What it asks of the gateway itself."""


class Deadline:
    """When an answer is late: as a whole, or because nothing of it comes."""

    def __init__(self, end: float = math.inf, silence: float = math.inf) -> None:
        """
        Args:
            end: when it must be complete, on time.monotonic()'s clock.
            silence: how many seconds may pass from one `touch` to the next.
        """
        self._end = end
        self._silence = silence
        self._touched = math.inf

    def touch(self) -> None:
        """Begin to wait: for a connection, for an answer, or for the next bytes of a stream."""
        self._touched = time.monotonic()

    def left(self) -> float:
        """Seconds for an attempt that begins now, none or fewer where the answer is late."""
        return min(self._end - time.monotonic(), self._silence)

    def has_passed(self) -> bool:
        """Whether the answer is late."""
        now = time.monotonic()
        return now > self._end or now > self._touched + self._silence

    def describe(self) -> str:
        """What of it has passed, for a message."""
        if time.monotonic() > self._end:
            return "did not finish its answer in time"
        return f"sent nothing for {self._silence:g} seconds"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One deployment to try."""

    deployment: Deployment
    """Its model is a concrete one."""
    upstream: Upstream
    deadline: Deadline
    connect_seconds: float = CONNECT_SECONDS
    """How long a connection may take to be made."""
    forwarded: Mapping[str, str] = field(default_factory=dict)
    """The client's own headers that go on."""
