"""The direct lane: the upstream speaks what the client speaks, so the request goes out as it came in.

Only the model's name and the credentials are replaced; the answer's bytes are passed on untouched.
"""

import json
import os
import time
from collections.abc import Generator
from typing import Any

from pennyworth import __version__
from pennyworth.gateway.config import Config, Deployment
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.http import client
from pennyworth.gateway.http.errors import HttpError, TooLarge, Unreachable, Unsendable
from pennyworth.gateway.lanes import Call, ClientGone, Reply
from pennyworth.gateway.lanes.failures import (
    broken,
    redirected,
    timed_out,
    unreachable,
    unsendable,
    unusable,
    upstream_error,
)
from pennyworth.gateway.lanes.limits import LARGEST_ANSWER_BYTES, LARGEST_ERROR_BYTES

# What a response header of the upstream's is kept from the client for.
_WITHHELD = frozenset(
    [
        # belongs to the one connection (RFC 9110, 7.6.1)
        *(
            "connection",
            "keep-alive",
            "proxy-authenticate",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
        ),
        *("upgrade",),
        # speaks of the upstream's site, not of the gateway's
        *("server", "date", "via", "alt-svc", "set-cookie", "strict-transport-security", "nel", "report-to"),
        # tells whose account it is
        *("openai-organization", "openai-project"),
    ]
)

# Parameters of OpenAI's chat completions that an operator may preset in litellm_params; the client's own win.
_PRESETS = frozenset(
    [
        *(
            "audio",
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "max_completion_tokens",
            "max_tokens",
            "metadata",
        ),
        *("modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key"),
        *(
            "reasoning_effort",
            "response_format",
            "safety_identifier",
            "seed",
            "service_tier",
            "stop",
            "store",
        ),
        *(
            "stream_options",
            "temperature",
            "thinking",
            "tool_choice",
            "tools",
            "top_k",
            "top_logprobs",
            "top_p",
        ),
        *("user", "verbosity", "web_search_options"),
    ]
)

PARAMETERS = _PRESETS | {
    *("model", "custom_llm_provider", "api_key", "api_base", "base_url", "api_version", "organization"),
    *("extra_headers", "extra_body", "timeout", "stream_timeout", "weight"),
}
"""What has an effect on this lane of all that may stand in litellm_params."""

_LARGEST_LIST_BYTES = 16 * 1024 * 1024
"""Of the models that an upstream lists."""


def prepare(config: Config) -> None:
    """Load the certificate authorities where https is spoken."""
    direct = (deployment for deployment in config.deployments if deployment.lane == "direct")
    if any(_base_url(deployment, required=False).startswith("https:") for deployment in direct):
        client.tls()


def chat(call: Call) -> Reply:
    """Forward `POST /chat/completions`. See `Lane.chat`."""
    return _forward(call, "/chat/completions")


def models(deployment: Deployment) -> list[str]:
    """The ids that the upstream's own `GET /models` lists; empty where it can't be asked."""
    give_up = time.monotonic() + 5

    def check() -> None:
        if time.monotonic() > give_up:
            raise TimeoutError

    try:
        exchange = client.get(f"{_base_url(deployment)}/models", _headers(deployment), check)
        try:
            document = json.loads(exchange.read(_LARGEST_LIST_BYTES)) if exchange.status == 200 else {}
        finally:
            exchange.close()
        return [str(model["id"]) for model in document.get("data", [])]
    except (ApiError, HttpError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def _forward(call: Call, path: str) -> Reply:
    deployment = call.deployment

    def check() -> None:
        if call.gone():
            raise ClientGone
        if time.monotonic() > call.deadline:
            raise timed_out(deployment)

    headers = {**_headers(deployment), "Content-Type": "application/json"}
    try:
        exchange = client.post(_base_url(deployment) + path, _body(call), headers, check)
    except Unreachable as error:
        raise unreachable(deployment, str(error)) from error
    except Unsendable as error:
        raise unsendable(deployment, str(error)) from error
    except (HttpError, OSError) as error:
        raise unreachable(deployment, f"its answer is not HTTP: {error}") from error
    kept = [(name, value) for name, value in exchange.headers if not _withheld(name)]
    try:
        if 300 <= exchange.status < 400:
            raise redirected(deployment, exchange.status, exchange.header("location") or "")
        if exchange.status >= 400:
            raise upstream_error(
                deployment, exchange.status, kept, exchange.read_beginning(LARGEST_ERROR_BYTES)
            )
        if call.stream:
            # what is streamed may yet be followed by an error event, so its length is not promised
            kept = [(name, value) for name, value in kept if name.lower() != "content-length"]
            body = _stream(exchange, deployment)
            next(body)  # only a generator that has begun does anything when it is closed
            return Reply(exchange.status, kept, body)
        # read to its end first: a break half-way is then an error of its own and not half an answer
        content = exchange.read(LARGEST_ANSWER_BYTES)
    except TooLarge as error:
        exchange.close()
        raise unusable(deployment, str(error)) from error
    except (HttpError, OSError) as error:
        exchange.close()
        raise broken(deployment) from error
    except BaseException:
        exchange.close()
        raise
    exchange.close()
    kept = [(name, value) for name, value in kept if name.lower() != "content-length"]
    return Reply(exchange.status, [*kept, ("Content-Length", str(len(content)))], _whole(content))


def _whole(content: bytes) -> Generator[bytes, None, None]:
    yield content


def _stream(exchange: client.Exchange, deployment: Deployment) -> Generator[bytes, None, None]:
    # without a length or chunks, only the stream's own end mark tells whether it was cut
    needs_mark = not exchange.delimited
    tail = b""
    try:
        yield b""
        while chunk := exchange.read_some():
            yield chunk
            if needs_mark:
                tail = (tail + chunk)[-32:]
        if needs_mark and b"[DONE]" not in tail:
            raise broken(deployment)
    except (HttpError, OSError) as error:
        raise broken(deployment) from error
    finally:
        exchange.close()


def _body(call: Call) -> bytes:
    """The request's body: the client's bytes where nothing in them has to change."""
    deployment = call.deployment
    presets = {
        key: value for key, value in deployment.params.items() if key in _PRESETS and value is not None
    }
    extra = deployment.params.get("extra_body") or {}
    if call.payload["model"] == deployment.model and not extra and not presets.keys() - call.payload.keys():
        return call.raw
    payload: dict[str, Any] = {**presets, **call.payload, "model": deployment.model, **extra}
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can carry
        return json.dumps(payload, separators=(",", ":")).encode()


def _base_url(deployment: Deployment, required: bool = True) -> str:
    provider, params = deployment.endpoint(), deployment.params
    named = (os.environ[name] for name in provider.base_variables if os.environ.get(name))
    base = str(
        params.get("api_base") or params.get("base_url") or next(named, provider.base_url) or ""
    ).rstrip("/")
    if not base.startswith(("http://", "https://")):
        if not required:
            return ""
        raise ApiError(
            500,
            f"The model '{deployment.name}' is not fully configured here: litellm_params.api_base must be the"
            f" provider's address, beginning with https:// or http://.",
            code="gateway_misconfigured",
        )
    if provider.base_suffix and not base.endswith(provider.base_suffix):
        base = base.removesuffix("/openai") + provider.base_suffix
    return base


def _headers(deployment: Deployment) -> dict[str, str]:
    provider, params = deployment.endpoint(), deployment.params
    named = (os.environ[name] for name in provider.key_variables if os.environ.get(name))
    key = str(params.get("api_key") or next(named, "")).strip()  # a pasted secret often ends in a line break
    if not key and not provider.key_optional:
        raise ApiError(
            500,
            f"The model '{deployment.name}' is not fully configured here: the gateway lacks the credentials of"
            f" '{deployment.provider}' (environment variable {provider.key_variables[0]}).",
            code="gateway_misconfigured",
        )
    name, prefix = provider.key_header
    headers = {
        "Accept": "application/json, text/event-stream",
        "Accept-Encoding": "identity",
        "User-Agent": f"pennyworth/{__version__}",
    }
    if key:
        headers[name] = prefix + key
    if params.get("organization"):
        headers["OpenAI-Organization"] = str(params["organization"])
    headers.update({str(k): str(v) for k, v in (params.get("extra_headers") or {}).items()})
    return headers


def _withheld(name: str) -> bool:
    name = name.lower()
    return name in _WITHHELD or name.startswith("access-control-")
