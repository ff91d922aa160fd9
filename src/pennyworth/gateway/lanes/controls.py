"""Request fields that steer LiteLLM and are no part of OpenAI's API.

Clients that were written for LiteLLM send them. They speak of the way to a model, which is the operator's to choose:
no upstream gets them, least of all an address or a key. https://docs.litellm.ai/docs/completion/input
"""

from collections.abc import Mapping
from typing import Any

_CONTROLS = frozenset(
    [
        "additional_drop_params",
        "allowed_openai_params",
        "api_base",
        "api_key",
        "api_version",
        "base_url",
        "cache",
        "caching",
        "callbacks",
        "content_policy_fallbacks",
        "context_window_fallback_dict",
        "context_window_fallbacks",
        "custom_llm_provider",
        "disable_fallbacks",
        "drop_params",
        "extra_body",
        "extra_headers",
        "failure_callback",
        "fallbacks",
        "guardrails",
        "headers",
        "max_fallbacks",
        "input_cost_per_token",
        "max_retries",
        "model_info",
        "model_list",
        "no-log",
        "num_retries",
        "organization",
        "output_cost_per_token",
        "proxy_server_request",
        "request_timeout",
        "retry_policy",
        "retry_strategy",
        "routing_strategy",
        "service_callback",
        "ssl_verify",
        "stream_timeout",
        "success_callback",
        "tags",
        "timeout",
        "user_config",
    ]
)
"""Without what the providers' APIs know."""

_BEGINNINGS = ("aws_", "azure_", "langfuse_", "litellm_", "mock_", "vertex_")
"""Of names of credentials and of switches."""


def is_control(name: str) -> bool:
    """Whether a field steers LiteLLM."""
    return name in _CONTROLS or name.startswith(_BEGINNINGS)


def without_controls(fields: Mapping[str, Any], *, keep_metadata: bool = False) -> Mapping[str, Any]:
    """A request's fields for an upstream: the same object where there is nothing to leave out.

    Args:
        fields: the request's.
        keep_metadata: whether `metadata` is the API's own in any case, as in all but chat completions.
    """
    keep_metadata = keep_metadata or "metadata" not in fields or _stores(fields)
    if keep_metadata and not any(map(is_control, fields)):
        return fields
    return {
        name: value
        for name, value in fields.items()
        if not is_control(name) and (keep_metadata or name != "metadata")
    }


def _stores(fields: Mapping[str, Any]) -> bool:
    """Whether `metadata` is for OpenAI, which takes texts, and only of what it is to store; else it is for LiteLLM."""
    metadata = fields["metadata"]
    return (
        fields.get("store") is True
        and isinstance(metadata, Mapping)
        and all(isinstance(value, str) for value in metadata.values())
    )
