"""The gateway as a WSGI application (PEP 3333): each request goes through the same steps, in this order."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pennyworth.gateway.authentication import authenticate
from pennyworth.gateway.cors import cors_headers
from pennyworth.gateway.dialects import Dialect, dialect
from pennyworth.gateway.endpoints import dialect_at, match, methods_at, needs_key
from pennyworth.gateway.errors import ApiError, ClientDisconnected
from pennyworth.gateway.forward import forward
from pennyworth.gateway.log import log
from pennyworth.gateway.meter import StreamMeter, read_usage
from pennyworth.gateway.outcome import Outcome
from pennyworth.gateway.settings import EMPTY, SettingsProvider
from pennyworth.gateway.wsgi import JSON, Request, Response, folded, status_line

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


REFUSED = "pennyworth.refused"
"""Where the server puts the ApiError with which it refuses what is no request."""


class Gateway:
    """The application."""

    def __init__(self, settings: SettingsProvider, origins: Iterable[str] = ("*",)) -> None:
        """
        Args:
            settings: gives each request the models and where they lead, and who may call.
            origins: the web origins that may call from a browser; `*` for all.
        """
        self._settings = settings
        self._origins = frozenset(origins)
        self._stopping = False

    def end_streams(self) -> None:
        """End whatever runs, with an error that asks the client to try again."""
        self._stopping = True

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        request = Request.of(environ, lambda: self._stopping)
        outcome = Outcome(request)
        spoken = dialect(dialect_at(request.path))
        try:
            response = self._answer(request, outcome)
        except ClientDisconnected:
            outcome.error = "client_disconnected"
            response = Response(499, [], b"")
        except ApiError as error:
            outcome.error = error.code or error.type
            response = _refusal(error, spoken)
        except Exception:
            log("error", "unexpected failure", request=request.id, exception=True)
            outcome.error = "internal_error"
            response = _refusal(_unexpected(request), spoken)
        outcome.status = response.status
        headers = [*response.headers]
        if request.header("origin"):
            headers += cors_headers(request, self._origins, methods_at(request.path))
        if isinstance(response.body, bytes) and response.status != 204:
            headers.append(("Content-Length", str(len(response.body))))
        if not any(name.lower() == "x-request-id" for name, _ in headers):
            headers.append(("x-request-id", request.id))
        start_response(status_line(response.status), folded(headers))
        if isinstance(response.body, bytes):
            return [_settled(b"" if request.method == "HEAD" else response.body, outcome)]
        return _Delivery(response.body, outcome, spoken)

    def _answer(self, request: Request, outcome: Outcome) -> Response:
        if refused := request.environ.get(REFUSED):
            raise refused
        request.check_protocol()
        if request.method == "OPTIONS":  # a browser's preflight carries no key
            return Response(204, [], b"")
        settings = EMPTY
        if needs_key(request.path):
            caller, settings = authenticate(request, self._settings)
            outcome.caller = caller.id
        endpoint, parameters = match(request)
        if endpoint.answer:
            return endpoint.answer(request, settings, parameters)
        return forward(request, endpoint, settings, outcome)


def _settled(body: bytes, outcome: Outcome) -> bytes:
    """A whole body, once what became of the request is written down."""
    outcome.usage = read_usage(body) if outcome.lane and outcome.status < 300 else None
    outcome.count(body)
    outcome.settle()
    return body


class _Delivery:
    """A body on its way out as it comes: metered, ended by an error event where it breaks, and settled once."""

    def __init__(self, body: Iterator[bytes], outcome: Outcome, spoken: Dialect) -> None:
        self._body = body
        self._outcome = outcome
        self._dialect = spoken
        self._meter = StreamMeter()
        self._chunks = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def _run(self) -> Iterator[bytes]:
        outcome = self._outcome
        try:
            for chunk in self._body:
                outcome.count(chunk)
                self._meter.see(chunk)
                if self._dialect.ends(chunk):
                    self._settle(None)
                yield chunk
        except ClientDisconnected:
            return
        except ApiError as error:
            event = self._dialect.error_event(error)
            outcome.count(event)
            self._settle(error.code or error.type)
            yield event
        else:
            self._settle(None)

    def _settle(self, error: str | None) -> None:
        self._outcome.error, self._outcome.usage = error, self._meter.usage
        self._outcome.settle()

    def close(self) -> None:
        """End what the body comes from, whether or not it was read to its end."""
        close = getattr(self._body, "close", None)
        if close:
            close()
        # where the end has not been reached, the server has stopped asking
        self._settle("client_disconnected")


def _refusal(error: ApiError, spoken: Dialect) -> Response:
    return Response(error.status, [*JSON, *error.headers], spoken.error_body(error))


def _unexpected(request: Request) -> ApiError:
    return ApiError(
        500,
        f"The gateway failed. Whoever runs it finds the cause in its log under {request.id}.",
        code="internal_error",
    )
