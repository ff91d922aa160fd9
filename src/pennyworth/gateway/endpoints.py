"""The endpoints, a row each. Adding an endpoint is adding a row.

OpenAI's API reference: https://platform.openai.com/docs/api-reference.
"""

import re
from collections.abc import Iterable
from functools import cache

from pennyworth.gateway.dialects import DialectName
from pennyworth.gateway.endpoint import Endpoint
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.models import list_models, retrieve_model
from pennyworth.gateway.status import health, version
from pennyworth.gateway.wsgi import Request

_SAMPLING = frozenset(
    [
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "n",
        "presence_penalty",
        "seed",
        "stop",
        "stream_options",
        "temperature",
        "top_p",
        "user",
    ]
)

_ANTHROPIC_HEADERS = {"anthropic-version": "2023-06-01", "anthropic-beta": ""}

ENDPOINTS = (
    Endpoint(name="root", method="GET", path="/", needs_key=False, answer=version),
    Endpoint(name="health", method="GET", path="/health", needs_key=False, answer=health),
    # LiteLLM's names for it, which load balancers and charts ask for
    Endpoint(name="liveness", method="GET", path="/health/liveness", needs_key=False, answer=health),
    Endpoint(name="liveliness", method="GET", path="/health/liveliness", needs_key=False, answer=health),
    Endpoint(name="readiness", method="GET", path="/health/readiness", needs_key=False, answer=health),
    Endpoint(name="version", method="GET", path="/version", needs_key=False, answer=version),
    Endpoint(name="models", method="GET", path="/models", answer=list_models),
    Endpoint(name="model", method="GET", path="/models/{model...}", answer=retrieve_model),
    Endpoint(
        name="chat_completions",
        path="/chat/completions",
        body="json",
        model_in="body",
        upstream_path="/chat/completions",
        litellm_function="completion",
        fields_type="chat.completion_create_params.CompletionCreateParamsBase",
        content_field="messages",
        presets=_SAMPLING
        | {
            "audio",
            "max_completion_tokens",
            "metadata",
            "modalities",
            "parallel_tool_calls",
            "prediction",
            "prompt_cache_key",
            "reasoning_effort",
            "response_format",
            "safety_identifier",
            "service_tier",
            "store",
            "thinking",
            "tool_choice",
            "tools",
            "top_k",
            "top_logprobs",
            "verbosity",
            "web_search_options",
        },
    ),
    Endpoint(
        name="completions",
        path="/completions",
        body="json",
        model_in="body",
        upstream_path="/completions",
        litellm_function="text_completion",
        fields_type="completion_create_params.CompletionCreateParamsBase",
        content_field="prompt",
        presets=_SAMPLING | {"best_of", "echo", "suffix"},
    ),
    Endpoint(
        name="embeddings",
        path="/embeddings",
        body="json",
        model_in="body",
        upstream_path="/embeddings",
        litellm_function="embedding",
        fields_type="embedding_create_params.EmbeddingCreateParams",
        streams=False,
        answer_field="data",
        content_field="input",
        presets=frozenset(["dimensions", "encoding_format", "user"]),
    ),
    Endpoint(
        name="responses",
        path="/responses",
        dialect="responses",
        body="json",
        model_in="body",
        upstream_path="/responses",
        native="responses",
        litellm_function="responses",
        answer_field="output",
        content_field="input",
    ),
    # https://docs.claude.com/en/api/messages
    Endpoint(
        name="messages",
        path="/messages",
        dialect="anthropic",
        body="json",
        model_in="body",
        upstream_path="/messages",
        native="messages",
        litellm_function="messages",
        client_headers=_ANTHROPIC_HEADERS,
        answer_field="content",
        content_field="messages",
    ),
    Endpoint(
        name="count_tokens",
        path="/messages/count_tokens",
        dialect="anthropic",
        body="json",
        model_in="body",
        upstream_path="/messages/count_tokens",
        native="count_tokens",
        client_headers=_ANTHROPIC_HEADERS,
        streams=False,
        answer_field="input_tokens",
        content_field="messages",
    ),
)


_AZURE = re.compile(r"^/openai(?:/deployments/[^/]+)?(?=/)")
"""What Azure's SDKs put before the paths. The model is in the body, too."""

PRESETS = frozenset[str]().union(*(endpoint.presets for endpoint in ENDPOINTS))
"""Those of any endpoint."""


def match(request: Request) -> tuple[Endpoint, dict[str, str]]:
    """The endpoint for a request, and its path's parameters. The path may begin with /v1; HEAD is answered as GET.

    Raises:
        ApiError: 404 `unknown_url`, or 405 `method_not_allowed` with the header Allow.
    """
    found = _at(request.path)
    if not found:
        raise ApiError(
            404,
            f"There is nothing at {request.asked_path}. This gateway answers {', '.join(_shown_paths())}.",
            code="unknown_url",
        )
    wanted = "GET" if request.method == "HEAD" else request.method
    for endpoint, parameters in found:
        if endpoint.method == wanted:
            return endpoint, parameters
    allowed = ", ".join(endpoint.method for endpoint, _ in found)
    raise ApiError(
        405,
        f"{request.asked_path} takes {allowed}, not {request.method}.",
        code="method_not_allowed",
        headers=[("Allow", allowed)],
    )


def dialect_at(path: str) -> DialectName:
    """The protocol that is spoken at a path; OpenAI's where there is nothing."""
    return next((endpoint.dialect for endpoint, _ in _at(path)), "openai")


def methods_at(path: str) -> list[str]:
    """The methods that a path takes; all that any path takes where there is nothing at it."""
    found: Iterable[Endpoint] = [endpoint for endpoint, _ in _at(path)] or ENDPOINTS
    return sorted({endpoint.method for endpoint in found})


def needs_key(path: str) -> bool:
    """Whether a key is asked for before anything is said of a path."""
    return not any(not endpoint.needs_key for endpoint, _ in _at(path))


def _at(path: str) -> list[tuple[Endpoint, dict[str, str]]]:
    if path.startswith("/openai/"):
        path = _AZURE.sub("", path)
    path = path.removeprefix("/v1") if path == "/v1" or path.startswith("/v1/") else path
    path = path.rstrip("/") or "/"
    found: list[tuple[Endpoint, dict[str, str]]] = [
        (endpoint, {}) for endpoint in ENDPOINTS if endpoint.path == path
    ]
    return found or [
        (endpoint, match.groupdict())
        for endpoint in ENDPOINTS
        if "{" in endpoint.path and (match := _pattern(endpoint.path).fullmatch(path))
    ]


@cache
def _pattern(path: str) -> re.Pattern[str]:
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
    return re.compile(re.sub(r"\\{(\w+)\\\.\\\.\\\.\\}", r"(?P<\1>.+)", pattern))


def _shown_paths() -> list[str]:
    return [f"/v1{endpoint.path}".replace("...", "") for endpoint in ENDPOINTS if endpoint.needs_key]
