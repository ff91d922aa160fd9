"""Which models there are: https://platform.openai.com/docs/api-reference/models."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pennyworth.gateway import lanes
from pennyworth.gateway.config import Deployment
from pennyworth.gateway.wsgi import Request, Response, json_response

if TYPE_CHECKING:
    from pennyworth.gateway.settings import Settings

_STARTED = int(time.time())


def list_models(_request: Request, settings: "Settings", _parameters: Mapping[str, str]) -> Response:
    """`GET /v1/models`."""
    names: dict[str, Deployment] = {}
    for deployment in settings.config.deployments:
        for name in _names(deployment, settings):
            names.setdefault(name, deployment)
    for alias, target in settings.config.aliases.items():
        if target in names and alias not in settings.config.hidden:
            names.setdefault(alias, names[target])
    return json_response({"object": "list", "data": [_model(*item) for item in names.items()]})


def retrieve_model(_request: Request, settings: "Settings", parameters: Mapping[str, str]) -> Response:
    """`GET /v1/models/{model}`."""
    name = parameters["model"]
    return json_response(_model(name, settings.config.resolve(name)[0]))


def _names(deployment: Deployment, settings: "Settings") -> list[str]:
    """The names under which a deployment's models can be asked for."""
    if not deployment.listed:
        return []
    if "*" not in deployment.name:
        return [deployment.name]
    if not deployment.provider or deployment.missing:
        return []
    models = lanes.choose(deployment.lane).models(settings.upstream(deployment))
    # what the model's own wildcard leaves open is what the client's name has in its place
    prefix, _, suffix = deployment.model.partition("*")
    left_open = (
        model[len(prefix) : len(model) - len(suffix) or None]
        for model in models
        if model.startswith(prefix) and model.endswith(suffix)
    )
    return [deployment.name.replace("*", part, 1) for part in left_open if deployment.concrete(part)]


def _model(name: str, deployment: Deployment) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": deployment.provider}
