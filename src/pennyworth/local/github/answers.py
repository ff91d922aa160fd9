"""What a request to GitHub is, what an answer, and which function answers which request."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Access = Mapping[str, str]
"""A job's `permissions:`, such as {"issues": "write"}."""

_LEVELS = ("none", "read", "write")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the repository, its token known to be good."""

    method: str
    path: str
    """Below /repos/OWNER/NAME."""
    query: Mapping[str, str]
    body: Any
    """JSON, or the bytes of a release's file; None where there is none."""
    media_type: str = ""
    """Of the body."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what became of it."""

    request: Request
    status: int
    answer: Any
    """The answer's JSON; None where there is none."""


class Refused(Exception):
    """GitHub turns a request down."""

    def __init__(self, status: int, message: str, *errors: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


def not_found() -> Refused:
    """The answer for what there is not."""
    return Refused(404, "Not Found")


def invalid(resource: str, field_name: str, code: str, message: str = "") -> Refused:
    """The answer for a body that makes no sense: https://docs.github.com/rest/using-the-rest-api/troubleshooting."""
    error = {"resource": resource, "field": field_name, "code": code}
    return Refused(422, "Validation Failed", error | ({"message": message} if message else {}))


Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Route:
    """Requests that one function answers."""

    method: str
    pattern: re.Pattern[str]
    needs: tuple[Access, ...]
    """Any of these permissions is enough."""
    status: int
    answer: Callable[..., Any]

    def allows(self, granted: Access) -> bool:
        """Whether a job with these permissions may."""
        return any(all(_has(granted, name, level) for name, level in need.items()) for need in self.needs)


@dataclass(slots=True)
class Routes:
    """A table of them, filled by decorators."""

    table: list[Route] = field(default_factory=list)

    def __call__(
        self, method: str, path: str, *needs: str, status: int = 200
    ) -> Callable[[Handler], Handler]:
        """Let a function answer some requests. It takes what holds the state, the request, and the path's parts.

        Args:
            method: HTTP's.
            path: below /repos/OWNER/NAME. {number} is digits, {rest} anything, any other name a part without a slash.
            needs: permissions as a workflow writes them, such as "issues: write"; one of them is enough.
            status: of an answer that is no refusal.
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
