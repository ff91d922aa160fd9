"""A request on its way to an upstream and back: its body, its model, and the attempts at an answer."""

from pennyworth.gateway import lanes
from pennyworth.gateway.asked import Asked, read_asked, unpack
from pennyworth.gateway.bodies import Body, read_body
from pennyworth.gateway.call import Call
from pennyworth.gateway.endpoint import Endpoint
from pennyworth.gateway.errors import ApiError, UpstreamFailure
from pennyworth.gateway.outcome import Outcome
from pennyworth.gateway.router import Route
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.wsgi import Request, Response


def forward(request: Request, endpoint: Endpoint, settings: Settings, outcome: Outcome) -> Response:
    """Have an upstream answer a request.

    Args:
        request: its body has not been read.
        endpoint: what it asks for.
        settings: those that hold for the whole request.
        outcome: takes what becomes of it.
    Raises:
        ApiError: the request can't be understood, or no upstream gives an answer.
        ClientDisconnected: nobody is left to answer.
    """
    body = unpack(read_body(endpoint.body, request))
    stream = endpoint.streams and body.fields.get("stream") is True
    call = Call(request, endpoint, body, _model(body), stream, read_asked(body.fields, request))
    outcome.model, outcome.stream, outcome.tags = call.model, call.stream, call.asked.tags
    _check_fallbacks(call.asked, settings)
    route = Route(settings, call)
    attempt = route.begin()
    while True:
        outcome.attempts += 1
        outcome.provider, outcome.lane = attempt.deployment.provider, attempt.deployment.lane
        try:
            attempt.upstream.require()
            response = lanes.choose(attempt.deployment.lane).send(call, attempt)
        except UpstreamFailure as failed:
            another = route.go_on(attempt, failed)
            if another is None:
                raise
            attempt = another
        else:
            return response if outcome.attempts == 1 else _tell_attempts(response, route, outcome)


def _tell_attempts(response: Response, route: Route, outcome: Outcome) -> Response:
    """Add what was tried, as LiteLLM's proxy tells it."""
    headers = [
        *response.headers,
        ("x-litellm-attempted-retries", str(outcome.attempts - 1 - route.fallbacks)),
        ("x-litellm-attempted-fallbacks", str(route.fallbacks)),
    ]
    return response._replace(headers=headers)


def _check_fallbacks(asked: Asked, settings: Settings) -> None:
    """See that a caller names only models that it could ask for itself."""
    for field, name in asked.named_models():
        try:
            settings.config.resolve(name)
        except ApiError as error:
            error.param = field
            raise


def _model(body: Body) -> str:
    name = body.fields.get("model")
    if not isinstance(name, str) or not name:
        raise ApiError(
            400,
            "The field 'model' is missing: give it one of the names that GET /v1/models lists.",
            code="missing_required_parameter",
            param="model",
        )
    if any(other != "model" and other.lower() == "model" for other in body.fields):
        # some servers take it for the same field, and so another model than the one that is looked up here
        raise ApiError(
            400,
            "The field 'model' is there twice, in different letters.",
            code="invalid_value",
            param="model",
        )
    return name
