"""The two ways to an upstream, behind one interface. Each lane is a module here; `choose` imports only the one it needs.

A lane turns a `Call` into a `Reply`, or raises `ApiError` while nothing has been sent to the client yet. Everything
that both lanes need (keys, errors, deadlines, the client's going away) is done by their caller.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

from pennyworth.gateway.config import Deployment

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

    def chat(self, call: Call) -> Reply:
        """Answer `POST /v1/chat/completions`.

        Raises:
            ApiError: the upstream refused, failed, was unreachable or too slow, or the client has gone.
        """

    def models(self, deployment: Deployment) -> list[str]:
        """The upstream's names of the models that a wildcard deployment (`provider/*`) stands for."""


class ClientGone(Exception):
    """The client hung up: nobody is left to answer. Raised by a lane that notices it while waiting."""
