"""Requests, responses, and the table of functions that answer requests."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Access = Mapping[str, str]
"""A job's `permissions:`, such as {"issues": "write"}."""

_LEVELS = ("none", "read", "write")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the repository, with a valid token."""

    method: str
    path: str
    """The path after /repos/OWNER/NAME."""
    query: Mapping[str, str]
    body: Any
    """The JSON body, or the bytes of a release's file; None without a body."""
    media_type: str = ""
    """Of the body."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its response."""

    request: Request
    status: int
    answer: Any
    """The response's JSON; None without a body."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer that sends the client elsewhere."""

    url: str


class Refused(Exception):
    """GitHub refuses a request."""

    def __init__(self, status: int, message: str, *errors: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


def not_found() -> Refused:
    """Return the response for something that does not exist."""
    return Refused(404, "Not Found")


def invalid(resource: str, field_name: str, code: str, message: str = "") -> Refused:
    """Return the response for an invalid body: https://docs.github.com/rest/using-the-rest-api/troubleshooting."""
    error = {"resource": resource, "field": field_name, "code": code}
    return Refused(422, "Validation Failed", error | ({"message": message} if message else {}))


Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Route:
    """The requests that a function answers."""

    method: str
    pattern: re.Pattern[str]
    needs: tuple[Access, ...]
    """The permissions, any one of which is enough."""
    status: int
    answer: Callable[..., Any]

    def allows(self, granted: Access) -> bool:
        """Return whether a job with these permissions may send the request."""
        return any(all(_has(granted, name, level) for name, level in need.items()) for need in self.needs)


@dataclass(slots=True)
class Routes:
    """A table of routes, filled by decorators."""

    table: list[Route] = field(default_factory=list)

    def __call__(
        self, method: str, path: str, *needs: str, status: int = 200
    ) -> Callable[[Handler], Handler]:
        """Register a function. It gets the object with the state, the request, and the path's parameters.

        Args:
            method: the HTTP method.
            path: the path after /repos/OWNER/NAME. {number} matches digits, {rest} anything, any other name a
                part without a slash.
            needs: permissions in a workflow's notation, such as "issues: write". One of them is enough.
            status: the HTTP status on success.
        """
        kinds = {"number": r"\d+", "rest": ".+"}
        pattern = re.sub(r"{(\w+)}", lambda part: f"(?P<{part[1]}>{kinds.get(part[1], '[^/]+')})", path)
        wanted = tuple(dict([need.split(": ")]) for need in needs)

        def keep(answer: Handler) -> Handler:
            self.table.append(Route(method, re.compile(pattern), wanted, status, answer))
            return answer

        return keep


def _has(granted: Access, name: str, level: str) -> bool:
    return _LEVELS.index(granted.get(name, "none")) >= _LEVELS.index(level)
