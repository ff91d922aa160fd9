"""Request fields that steer LiteLLM and are no part of OpenAI's API.

Clients that were written for LiteLLM send them. They speak of the way to a model, which is the operator's to choose:
no upstream gets them, least of all an address or a key. https://docs.litellm.ai/docs/completion/input
"""

from collections.abc import Mapping
from typing import Any

_CONTROLS = frozenset(
    [
        "allowed_openai_params",
        "api_base",
        "api_key",
        "api_version",
        "base_url",
        "cache",
        "caching",
        "content_policy_fallbacks",
        "context_window_fallback_dict",
        "context_window_fallbacks",
        "custom_llm_provider",
        "disable_fallbacks",
        "extra_headers",
        "fallbacks",
        "guardrails",
        "headers",
        "max_fallbacks",
        "max_retries",
        "model_list",
        "no-log",
        "num_retries",
        "request_timeout",
        "retry_policy",
        "retry_strategy",
        "routing_strategy",
        "ssl_verify",
        "stream_timeout",
        "tags",
        "timeout",
        "user_config",
    ]
)
"""Without `metadata`, which is OpenAI's own, and without what the providers' APIs know."""

_BEGINNINGS = ("aws_", "azure_", "langfuse_", "litellm_", "mock_", "vertex_")
"""Of names of credentials and of switches."""


def is_control(name: str) -> bool:
    """Whether a field steers LiteLLM."""
    return name in _CONTROLS or name.startswith(_BEGINNINGS)


def without_controls(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """A request's fields for an upstream: the same object where there is nothing to leave out."""
    if not any(map(is_control, fields)):
        return fields
    return {name: value for name, value in fields.items() if not is_control(name)}
