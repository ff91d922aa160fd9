"""Where Azure's APIs lie: OpenAI's models by v1 or by dated versions, and Foundry's models.

https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from pennyworth.gateway.addresses import parse_base_url
from pennyworth.gateway.provider import Address

_KEY = ("api-key", "")
_V1 = "/openai/v1"
_UNDATED = ("v1", "latest", "preview")
_DEFAULT_VERSION = "2025-02-01-preview"
"""LiteLLM's, where none is given."""
_FOUNDRY_VERSION = "2024-05-01-preview"
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)")


def resolve_azure(
    provider: str, written: str, params: Mapping[str, Any], environ: Mapping[str, str]
) -> Address:
    """Where a deployment's requests go.

    Args:
        provider: `azure` or `azure_ai`.
        written: the address as the operator has it, perhaps with a path and a query that Azure's portal shows.
        params: the deployment's; `api_version` counts.
        environ: AZURE_API_VERSION counts.
    Raises:
        ValueError: the address is missing or none; says what to write instead.
    """
    if not written:
        raise ValueError("litellm_params.api_base must be the resource's address")
    address, _, query = written.strip().partition("?")
    try:
        base = parse_base_url(address)
    except ValueError as problem:
        raise ValueError(f"litellm_params.api_base {problem}") from None
    asked = parse_qs(query).get("api-version", [""])[0]
    version = asked or str(params.get("api_version") or "")
    if base.endswith(_V1):
        return Address(base, key_header=_KEY)
    if provider == "azure_ai":
        return _resolve_foundry(base, version)
    version = version or environ.get("AZURE_API_VERSION") or _DEFAULT_VERSION
    resource = base.removesuffix("/openai")
    if version in _UNDATED:
        return Address(resource + _V1, key_header=_KEY)
    named = _DEPLOYMENT.search(base)
    if named:
        resource = base[: named.start()]
    deployment = named[1] if named else "{model}"
    dated = f"?api-version={quote(version, safe='')}"
    return Address(resource, f"/openai/deployments/{deployment}{{path}}{dated}", _KEY)


def _resolve_foundry(base: str, version: str) -> Address:
    if not (urlsplit(base).hostname or "").endswith(".services.ai.azure.com"):  # a model's own endpoint
        return Address(base, "{path}" + (f"?api-version={quote(version, safe='')}" if version else ""))
    if version in _UNDATED:
        return Address(base.removesuffix("/models").removesuffix("/openai") + _V1, key_header=_KEY)
    if not base.endswith("/models"):
        base += "/models"
    # what the service itself does not know is the model's to judge
    headers = {"extra-parameters": "pass-through"}
    return Address(base, f"{{path}}?api-version={quote(version or _FOUNDRY_VERSION, safe='')}", _KEY, headers)
