"""What an API user is told when an upstream fails: the same words on both lanes, and never a credential."""

import json
import os
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from pennyworth.gateway.config import SECRET_WORDS, Deployment
from pennyworth.gateway.errors import ApiError

# Upstream's headers that help a client to do better next time.
_KEPT_HEADERS = ("retry-after", "x-request-id", "x-ratelimit-", "request-id")


def unreachable(deployment: Deployment, reason: str) -> ApiError:
    """No connection to the upstream, or none that lasted until it answered."""
    return ApiError(
        502,
        scrubbed(
            f"The upstream provider '{deployment.provider}' of the model '{deployment.name}' can't be reached:"
            f" {reason}."
            " Try again; if it stays so, ask whoever runs this gateway to check the model's address.",
            deployment,
        ),
        code="upstream_unreachable",
    )


def timed_out(deployment: Deployment) -> ApiError:
    """The upstream had not finished its answer by the deadline."""
    return ApiError(
        504,
        f"The upstream provider '{deployment.provider}' of the model '{deployment.name}' did not finish its answer in"
        " time. Try again, ask for a shorter answer, or stream it.",
        code="upstream_timeout",
        type="timeout_error",
    )


def redirected(deployment: Deployment, status: int, target: str) -> ApiError:
    """The upstream leads elsewhere. Nobody follows it: the key and the prompt are for the host that was configured.

    Args:
        deployment: where the request went.
        status: the upstream's HTTP status.
        target: its Location header.
    """
    try:
        parts = urlsplit(target)
        # without credentials and query, which may hold a secret
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
        place = re.sub(r"[^!-~]", "", place + parts.path)[:200]
    except ValueError:
        place = ""
    return ApiError(
        502,
        scrubbed(
            f"The upstream provider '{deployment.provider}' of the model '{deployment.name}' answered with a redirect"
            f" ({status}) to {place or 'nowhere'}, which is not followed. Ask whoever runs this gateway to set the"
            " model's api_base to the provider's final address.",
            deployment,
        ),
        code="upstream_redirected",
    )


def unusable(deployment: Deployment, reason: str) -> ApiError:
    """What the upstream answered can't be an answer of its API."""
    return ApiError(
        502,
        f"The upstream provider '{deployment.provider}' answered for the model '{deployment.name}' with something that"
        f" is no answer of its API: {reason}. Try again; if it stays so, ask whoever runs this gateway to check the"
        " model's address.",
        code="upstream_broken",
    )


def unsendable(deployment: Deployment, reason: str) -> ApiError:
    """The request can't be put into HTTP, because of the configuration."""
    return ApiError(
        500,
        f"The model '{deployment.name}' is not configured properly here: {reason}. Ask whoever runs this gateway to"
        " correct it.",
        code="gateway_misconfigured",
    )


def broken(deployment: Deployment) -> ApiError:
    """The upstream's answer ended before its end."""
    return ApiError(
        502,
        f"The upstream provider '{deployment.provider}' broke off in the middle of its answer. Try again.",
        code="upstream_broken",
    )


def upstream_error(
    deployment: Deployment, status: int, headers: Iterable[tuple[str, str]], body: bytes
) -> ApiError:
    """An upstream's refusal, with its own status and message.

    Args:
        deployment: where the request went.
        status: the upstream's HTTP status.
        headers: its response headers.
        body: its response body, or the beginning of it.
    """
    kept = [
        (name, scrubbed(value, deployment))
        for name, value in headers
        if name.lower().startswith(_KEPT_HEADERS)
    ]
    message, code, param, type_ = _read(body)
    if status in (401, 403):
        # else the client would look for the fault in its own key
        message = (
            f"The upstream provider '{deployment.provider}' refused the gateway's credentials: {message}"
        )
    return ApiError(
        status,
        scrubbed(
            message or f"The upstream provider '{deployment.provider}' answered with status {status}.",
            deployment,
        ),
        code=code and scrubbed(code, deployment),
        param=param and scrubbed(param, deployment),
        type=type_ and scrubbed(type_, deployment),
        headers=kept,
    )


def scrubbed(text: str, deployment: Deployment) -> str:
    """A text without the deployment's credentials, wherever they came from."""
    for secret in (*deployment.secrets(), *(os.environ[name] for name in _credential_variables(deployment))):
        if len(secret) > 5:
            text = text.replace(secret, "***")
    return text


def _credential_variables(deployment: Deployment) -> list[str]:
    if deployment.lane == "direct":
        return [name for name in deployment.endpoint().key_variables if name in os.environ]
    # which of them LiteLLM took is its own affair
    return [name for name in os.environ if any(word in name.lower() for word in SECRET_WORDS)]


def _read(body: bytes) -> tuple[str, str | None, str | None, str | None]:
    """Message, code, param and type out of the shapes that upstreams give their errors."""
    text = body.decode(errors="replace").strip()
    try:
        document: Any = json.loads(text)
    except ValueError:
        return text[:1000], None, None, None
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error", document) if isinstance(document, dict) else document
    if not isinstance(error, dict):
        return str(error)[:1000], None, None, None

    def text_of(name: str) -> str | None:
        value = error.get(name)
        return None if value is None else str(value)

    message = text_of("message") or text_of("detail") or text[:1000]
    return message, text_of("code"), text_of("param"), text_of("type")
