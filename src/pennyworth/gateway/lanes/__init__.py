"""The two ways to an upstream, behind one interface.

Each lane is a module here; `choose` imports only the one that is needed.

A lane turns a `Call` into a `Reply`, or raises `ApiError` while nothing has been sent to the client yet. What both
lanes need (keys, routes, errors on their way out, logging) is their caller's.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from pennyworth.gateway.config import Config, Deployment, LaneName

Body = Generator[bytes, None, None]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked and ready to go to an upstream."""

    deployment: Deployment
    payload: dict[str, Any]
    """The request's JSON object as the client sent it, `model` being the client's name for it."""
    raw: bytes
    """The same as bytes."""
    stream: bool
    deadline: float
    """When the answer must be complete, on time.monotonic()'s clock."""
    gone: Callable[[], bool]
    """Whether the client has hung up. Cheap: may be asked several times a second."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an upstream answers: the status, headers for the client, and the body as it comes.

    Closing the body cancels the upstream call. A body may raise ApiError half-way; what was sent stays sent.
    """

    status: int
    headers: list[tuple[str, str]]
    body: Body


class Lane(Protocol):
    """A way to an upstream."""

    def prepare(self, config: Config) -> None:
        """Do, or begin in the background, what the first call would otherwise wait for."""

    def chat(self, call: Call) -> Reply:
        """Answer `POST /v1/chat/completions`.

        Raises:
            ApiError: the upstream refused, failed, was unreachable or too slow, or the client has gone.
        """

    def models(self, deployment: Deployment) -> list[str]:
        """The upstream's names of the models that a wildcard deployment (`provider/*`) stands for."""


class ClientGone(Exception):
    """The client hung up: nobody is left to answer. Raised by a lane that notices it while waiting."""


def choose(name: LaneName) -> Lane:
    """The lane of that name, imported when first asked for."""
    return cast(Lane, import_module(f"{__name__}.{name}"))
