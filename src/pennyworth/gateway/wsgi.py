"""A request and a response as WSGI has them (PEP 3333)."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

from pennyworth.gateway.errors import ApiError, ClientDisconnected

Headers = list[tuple[str, str]]

JSON: Headers = [("Content-Type", "application/json")]


# without what nobody calls: to make each class's methods takes a part of the start
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Request:
    """A request whose body has not been read yet."""

    environ: Mapping[str, Any]
    method: str
    path: str
    began: float = field(default_factory=time.monotonic)
    """On time.monotonic()'s clock."""
    id: str = field(default_factory=lambda: os.urandom(12).hex())
    stopping: Callable[[], bool] = field(default=lambda: False)
    """Whether the gateway ends what still runs."""

    @classmethod
    def of(cls, environ: Mapping[str, Any], stopping: Callable[[], bool] = lambda: False) -> "Request":
        """The request of a WSGI environment."""
        path = str(environ.get("PATH_INFO", "")).encode("latin-1").decode(errors="replace")
        return cls(environ, str(environ["REQUEST_METHOD"]), path, stopping=stopping)

    def header(self, name: str) -> str:
        """A header's value; empty where it was not sent.

        Args:
            name: such as `x-api-key`.
        """
        return str(self.environ.get(f"HTTP_{name.upper().replace('-', '_')}", ""))

    def check_protocol(self) -> None:
        """Check that HTTP is spoken. Clients that ask for a WebSocket first go on without one when this fails.

        Raises:
            ApiError: 426 `upgrade_required`.
        """
        if self.header("upgrade").lower() == "websocket":
            raise ApiError(
                426, "WebSockets can't pass here. Send the request by POST.", code="upgrade_required"
            )

    @property
    def asked_path(self) -> str:
        """The path as the client wrote it. API Gateway takes its stage away from the path that a function gets."""
        if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:  # elsewhere anybody could send this header
            return self.path
        try:
            return str(json.loads(self.header("x-amzn-request-context"))["path"])
        except (ValueError, TypeError, KeyError):
            return self.path

    def check_wanted(self) -> None:
        """Check that somebody still waits for the response. Cheap: may be called several times a second.

        Raises:
            ClientDisconnected: the client has hung up.
            ApiError: 503 `gateway_stopping`.
        """
        asked = self.environ.get("waitress.client_disconnected")
        if asked and asked():
            raise ClientDisconnected
        if self.stopping():
            raise ApiError(
                503,
                "The gateway is being stopped and could not finish this response. Try again.",
                code="gateway_stopping",
                headers=[("Retry-After", "1")],
            )


class Response(NamedTuple):
    """What a client is answered."""

    status: int
    headers: Headers
    body: bytes | Iterator[bytes]
    """Whole, or as it comes. Closing an iterator cancels what it comes from; it may raise ApiError half-way."""


def json_response(document: Mapping[str, Any]) -> Response:
    """A document as a response of its own."""
    return Response(200, JSON, json.dumps(document, ensure_ascii=False).encode())


def status_line(status: int) -> str:
    """Such as `404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} {'Client Closed Request' if status == 499 else 'Unknown'}"


def folded(headers: Iterable[tuple[str, str]]) -> Headers:
    """Several values of one name as one (RFC 9110, 5.3): API Gateway answers 502 where a function sends several."""
    folded: dict[str, tuple[str, str]] = {}
    for name, value in headers:
        first, values = folded.get(name.lower(), (name, ""))
        folded[name.lower()] = (first, f"{values}, {value}" if values else value)
    return list(folded.values())
