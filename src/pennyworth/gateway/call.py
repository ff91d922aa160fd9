"""One request on its way to an upstream, and one attempt at having it answered."""

from dataclasses import dataclass

from pennyworth.gateway.bodies import Body
from pennyworth.gateway.config import Deployment
from pennyworth.gateway.endpoint import Endpoint
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One deployment to try."""

    deployment: Deployment
    """Its model is a concrete one."""
    upstream: Upstream
    deadline: float
    """When the answer must be complete, on time.monotonic()'s clock."""
