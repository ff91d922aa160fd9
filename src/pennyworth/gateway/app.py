"""The gateway as a WSGI application (PEP 3333): routes, keys, CORS and errors, written once for both lanes."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pennyworth import __version__
from pennyworth.gateway import lanes
from pennyworth.gateway.config import Deployment
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.log import log
from pennyworth.gateway.settings import Settings, Source

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

Headers = list[tuple[str, str]]

LARGEST_BODY_BYTES = 100 * 1024 * 1024
"""Of a request outside Lambda, which has a limit of its own (6 MB)."""

_LAMBDA_MARGIN_SECONDS = 2.0
"""What is kept of a function's time to tell the client that the rest is missing."""

_JSON: Headers = [("Content-Type", "application/json")]


@dataclass(slots=True)
class Request:
    """A request on its way through the application, and what the log is told of it."""

    environ: Mapping[str, Any]
    path: str
    began: float = field(default_factory=time.monotonic)
    id: str = field(default_factory=lambda: os.urandom(12).hex())
    facts: dict[str, Any] = field(default_factory=dict)
    settings: Settings = field(init=False)
    """Those that it began with; none where no key is asked for."""

    @property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: status, headers and a body as it comes."""

    status: int
    headers: Headers
    body: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a path, by method."""

    handlers: Mapping[str, Callable[["Gateway", Request], Response]]
    open: bool = False
    """Whether it answers without a key."""


class Gateway:
    """The application."""

    def __init__(self, settings: Source, origins: Iterable[str] = ("*",)) -> None:
        """
        Args:
            settings: gives each request the models and where they lead, and who may call.
            origins: the web origins that may call from a browser; `*` for all.
        """
        self._settings = settings
        self._origins = frozenset(origins)
        self._started = int(time.time())

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
        request = Request(environ, path)
        try:
            response = self._answer(request)
        except lanes.ClientGone:
            response = Response(499, [], [])
            request.facts["error"] = "client_disconnected"
        except ApiError as error:
            response = _failed(error)
            request.facts["error"] = error.code or error.type
        except Exception:
            log("error", "unexpected failure", request=request.id, exception=True)
            response = _failed(
                ApiError(
                    500,
                    f"The gateway failed. Whoever runs it finds the cause in its log under {request.id}.",
                    code="internal_error",
                )
            )
        headers = _folded([*response.headers, *self._cors(environ)])
        if not any(name.lower() == "x-request-id" for name, _ in headers):
            headers.append(("x-request-id", request.id))
        start_response(_status_line(response.status), headers)
        if request.method == "HEAD":
            response = Response(response.status, response.headers, [])
        return _Body(request, response)

    def _answer(self, request: Request) -> Response:
        path = request.path.removeprefix("/v1") if request.path.startswith("/v1/") else request.path
        route = _ROUTES.get(path.rstrip("/") or "/") or (_MODEL if path.startswith("/models/") else None)
        if request.method == "OPTIONS":  # a browser's preflight carries no key
            return Response(204, [], [])
        if not (route and route.open):
            request.settings = self._admitted(request)
        if route is None:
            raise ApiError(
                404,
                f"There is nothing at {request.path}. This gateway answers {', '.join(_KNOWN_PATHS)}.",
                code="unknown_url",
            )
        handler = route.handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allowed = ", ".join(route.handlers)
            raise ApiError(
                405,
                f"{request.path} takes {allowed}, not {request.method}.",
                code="method_not_allowed",
                headers=[("Allow", allowed)],
            )
        return handler(self, request)

    def _admitted(self, request: Request) -> Settings:
        """The settings for a request, whose key is one of theirs."""
        settings = self._settings()
        try:
            settings.keys.check(request.environ)
        except ApiError:
            newer = self._settings(doubt=True)
            if newer is settings:
                raise
            newer.keys.check(request.environ)
            return newer
        return settings

    def _cors(self, environ: Mapping[str, Any]) -> Headers:
        """CORS headers, on every answer: a browser must be able to read errors too."""
        origin = environ.get("HTTP_ORIGIN")
        if not origin:
            return []
        anyone = "*" in self._origins
        if not anyone and origin not in self._origins:
            return [("Vary", "Origin")]
        headers = [("Access-Control-Allow-Origin", "*" if anyone else origin)]
        if not anyone:
            headers.append(("Vary", "Origin"))
        if environ["REQUEST_METHOD"] == "OPTIONS":
            asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "authorization, content-type")
            headers += [
                ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
                ("Access-Control-Allow-Headers", asked),
                ("Access-Control-Max-Age", "86400"),
            ]
        else:
            headers.append(("Access-Control-Expose-Headers", "*"))
        return headers

    def health(self, request: Request) -> Response:
        """`GET /health`: the process answers. Touches nothing else."""
        return _json({"status": "ok"})

    def version(self, request: Request) -> Response:
        """`GET /version`."""
        return _json({"name": "pennyworth", "version": __version__})

    def models(self, request: Request) -> Response:
        """`GET /v1/models`: https://platform.openai.com/docs/api-reference/models/list."""
        names: dict[str, Deployment] = {}
        for deployment in request.settings.config.deployments:
            for name in self._names(deployment):
                names.setdefault(name, deployment)
        for alias, target in request.settings.config.aliases.items():
            if target in names:
                names.setdefault(alias, names[target])
        return _json({"object": "list", "data": [self._model(*item) for item in names.items()]})

    def model(self, request: Request) -> Response:
        """`GET /v1/models/{id}`: https://platform.openai.com/docs/api-reference/models/retrieve."""
        name = request.path.split("/models/", 1)[1]
        return _json(self._model(name, request.settings.config.resolve(name)))

    def chat(self, request: Request) -> Response:
        """`POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat/create."""
        raw, payload = _json_body(request.environ)
        name = payload.get("model")
        if not isinstance(name, str) or not name:
            raise ApiError(
                400,
                "The field 'model' is missing: give it one of the names that GET /v1/models lists.",
                code="missing_required_parameter",
                param="model",
            )
        deployment = request.settings.config.resolve(name)
        if deployment.missing:
            raise ApiError(
                500,
                f"The model '{name}' is not fully configured here: environment variable"
                f" {', '.join(deployment.missing)} is not set in the gateway.",
                code="gateway_misconfigured",
            )
        stream = payload.get("stream") is True
        request.facts |= {
            "model": name,
            "provider": deployment.provider,
            "lane": deployment.lane,
            "stream": stream,
        }
        gone = request.environ.get("waitress.client_disconnected") or (lambda: False)
        call = lanes.Call(deployment, payload, raw, stream, self._deadline(request, deployment, stream), gone)
        reply = lanes.choose(deployment.lane).chat(call)
        return Response(reply.status, reply.headers, reply.body)

    def _names(self, deployment: Deployment) -> list[str]:
        """The names under which a deployment's models can be asked for."""
        if "*" not in deployment.name:
            return [deployment.name] if deployment.listed else []
        if not deployment.listed or not deployment.provider or deployment.missing:
            return []
        models = lanes.choose(deployment.lane).models(deployment)
        # what the model's own wildcard leaves open is what the client's name has in its place
        prefix, _, suffix = deployment.model.partition("*")
        left_open = (
            m[len(prefix) : len(m) - len(suffix) or None]
            for m in models
            if m.startswith(prefix) and m.endswith(suffix)
        )
        return [deployment.name.replace("*", part, 1) for part in left_open if deployment.concrete(part)]

    def _model(self, name: str, deployment: Deployment) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._started, "owned_by": deployment.provider}

    def _deadline(self, request: Request, deployment: Deployment, stream: bool) -> float:
        """When an answer must be complete: the model's timeout, the configuration's, the function's own end."""
        params = deployment.params
        seconds = (
            (params.get("stream_timeout") if stream else None)
            or params.get("timeout")
            or request.settings.config.timeout
        )
        deadline = request.began + float(seconds)
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # elsewhere anybody could send this header
            context = json.loads(request.environ.get("HTTP_X_AMZN_LAMBDA_CONTEXT") or "{}")
            if ends := context.get("deadline"):
                left = ends / 1000 - time.time() - _LAMBDA_MARGIN_SECONDS
                deadline = min(deadline, time.monotonic() + left)
        return deadline


class _Body:
    """A response's body on its way out: ends a broken stream with an error event, and is logged once."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._response = response
        self._chunks = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def _run(self) -> Iterator[bytes]:
        facts = self._request.facts
        facts["bytes"] = 0
        # overwritten below unless the server stops asking because the client has gone
        outcome = facts.pop("error", None)
        facts["error"] = "client_disconnected"
        try:
            for chunk in self._response.body:
                if not facts["bytes"]:
                    facts["first_ms"] = _since(self._request.began)
                facts["bytes"] += len(chunk)
                yield chunk
        except lanes.ClientGone:
            return
        except ApiError as error:
            facts["error"] = error.code or error.type
            if not facts.get("stream"):
                raise
            yield error.event()
        else:
            facts["error"] = outcome

    def close(self) -> None:
        close = getattr(self._response.body, "close", None)
        if close:
            close()
        request = self._request
        log(
            "info",
            "request",
            request=request.id,
            method=request.method,
            path=request.path,
            status=self._response.status,
            ms=_since(request.began),
            **{name: value for name, value in request.facts.items() if value is not None},
        )


_ROUTES: dict[str, Route] = {
    "/health": Route({"GET": Gateway.health}, open=True),
    "/version": Route({"GET": Gateway.version}, open=True),
    "/models": Route({"GET": Gateway.models}),
    "/chat/completions": Route({"POST": Gateway.chat}),
}
_MODEL = Route({"GET": Gateway.model})
_KNOWN_PATHS = ("/v1/chat/completions", "/v1/models", "/v1/models/{id}", "/health", "/version")


def _json_body(environ: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The request's body, as bytes and as the JSON object that it must be."""
    kind = str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise ApiError(
            415,
            f"The body's content type is '{kind}'. Send JSON with 'Content-Type: application/json'.",
            code="unsupported_content_type",
        )
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > LARGEST_BODY_BYTES:
        raise ApiError(
            413,
            f"The body has {length} bytes; this gateway takes {LARGEST_BODY_BYTES}. Send less.",
            code="request_too_large",
        )
    raw: bytes = environ["wsgi.input"].read(length)
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        place = (
            f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        )
        raise ApiError(
            400,
            f"The body is not valid JSON: {reason}{place}.",
            code="invalid_json",
        ) from None
    if not isinstance(payload, dict):
        raise ApiError(400, 'The body must be a JSON object, such as {"model": ...}.', code="invalid_json")
    return raw, payload


def _json(document: Mapping[str, Any]) -> Response:
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(200, [*_JSON, ("Content-Length", str(len(body)))], [body])


def _failed(error: ApiError) -> Response:
    body = error.body()
    return Response(error.status, [*_JSON, ("Content-Length", str(len(body))), *error.headers], [body])


def _folded(headers: Headers) -> Headers:
    """Several values of one name as one (RFC 9110, 5.3): API Gateway answers 502 where a function sends several."""
    folded: dict[str, tuple[str, str]] = {}
    for name, value in headers:
        first, values = folded.get(name.lower(), (name, ""))
        folded[name.lower()] = (first, f"{values}, {value}" if values else value)
    return list(folded.values())


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} {'Client Closed Request' if status == 499 else 'Unknown'}"


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
