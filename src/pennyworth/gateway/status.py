"""What the gateway says of itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pennyworth import __version__
from pennyworth.gateway.wsgi import Request, Response, json_response

if TYPE_CHECKING:
    from pennyworth.gateway.settings import Settings


def health(_request: Request, _settings: "Settings", _parameters: Mapping[str, str]) -> Response:
    """`GET /health`: the process answers. Touches nothing else."""
    return json_response({"status": "ok"})


def version(_request: Request, _settings: "Settings", _parameters: Mapping[str, str]) -> Response:
    """`GET /version`."""
    return json_response({"name": "pennyworth", "version": __version__})
