"""Finds the variables that a model needs: its provider's key, and an address or project without a default."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pennyworth.checks.config.catalogue import list_key_variables
from pennyworth.checks.config.report import Need
from pennyworth.gateway.config import Deployment

ROLE_PROVIDERS = ("bedrock", "sagemaker")
"""Prefixes of the providers that accept the Lambda function's own IAM role."""

_FUNCTIONS_KEY = "os.environ/AWS_ACCESS_KEY_ID"
"""In Lambda, this variable is the role's."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A value that LiteLLM reads from a parameter, or else from a variable."""

    purpose: str
    parameters: tuple[str, ...]
    variables: tuple[str, ...]


def _want_key(*variables: str) -> _Wanted:
    return _Wanted("key", ("api_key",), variables)


# Providers that need more than a key, or whose variables are incomplete in catalogue.py. From the providers' pages,
# https://docs.litellm.ai/docs/providers, and LiteLLM's sources.
_VERTEX = (
    _Wanted("project", ("vertex_project", "vertex_ai_project"), ("VERTEXAI_PROJECT", "VERTEX_PROJECT")),
    _Wanted("location", ("vertex_location", "vertex_ai_location"), ("VERTEXAI_LOCATION", "VERTEX_LOCATION")),
    _Wanted(
        "service account",
        ("vertex_credentials", "vertex_ai_credentials"),
        ("VERTEXAI_CREDENTIALS", "VERTEX_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS"),
    ),
)
_WANTED: Mapping[str, tuple[_Wanted, ...]] = {
    "azure": (
        _Wanted(
            "key",
            ("api_key", "azure_ad_token", "client_secret"),
            ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_AD_TOKEN", "AZURE_CLIENT_SECRET"),
        ),
        _Wanted("address", ("api_base", "base_url"), ("AZURE_API_BASE",)),
    ),
    "azure_ai": (
        _want_key("AZURE_AI_API_KEY"),
        _Wanted("address", ("api_base", "base_url"), ("AZURE_AI_API_BASE",)),
    ),
    "cloudflare": (
        _want_key("CLOUDFLARE_API_KEY"),
        _Wanted("account", ("api_base",), ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_BASE")),
    ),
    "cohere": (_want_key("COHERE_API_KEY", "CO_API_KEY"),),
    "cohere_chat": (_want_key("COHERE_API_KEY", "CO_API_KEY"),),
    "databricks": (
        _want_key("DATABRICKS_API_KEY", "DATABRICKS_CLIENT_SECRET"),
        _Wanted("address", ("api_base", "base_url"), ("DATABRICKS_API_BASE",)),
    ),
    "gemini": (_want_key("GEMINI_API_KEY", "GOOGLE_API_KEY"),),
    "github": (_want_key("GITHUB_API_KEY"),),
    "huggingface": (_want_key("HUGGINGFACE_API_KEY", "HF_TOKEN"),),
    "perplexity": (_want_key("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),),
    "vertex_ai": _VERTEX,
    "vertex_ai_beta": _VERTEX,
    "watsonx": (
        _want_key("WATSONX_APIKEY", "WATSONX_API_KEY", "WATSONX_TOKEN"),
        _Wanted("address", ("api_base", "base_url"), ("WATSONX_URL", "WATSONX_API_BASE")),
    ),
}


def list_needs(
    deployment: Deployment, environ: Mapping[str, str], written: Mapping[str, Any] | None = None
) -> Iterator[Need]:
    """Yield what a model needs from the environment, because its own parameters don't set it.

    Args:
        deployment: the model.
        environ: the environment variables that the gateway will have.
        written: its litellm_params in the file, where a reference to an unset variable still is. Default: its own.
    """
    given = {**deployment.params, **(written or {})}
    for wanted in _list_wanted(deployment):
        if not any(_is_given(given, name) for name in wanted.parameters) and wanted.variables:
            met = any(environ.get(name) for name in wanted.variables)
            yield Need(wanted.variables, wanted.purpose, wanted.parameters[0], met)


def _list_wanted(deployment: Deployment) -> tuple[_Wanted, ...]:
    if not deployment.provider:
        return ()  # the request names the provider
    if uses_role(deployment.provider, deployment.params):
        return ()
    if deployment.lane == "direct":
        endpoint = deployment.endpoint()
        key = () if endpoint.key_optional else (_want_key(*endpoint.key_variables),)
        if endpoint.base_url:
            named = re.findall(r"\{(\w+)\}", endpoint.base_url)
            return (
                *key,
                *(_Wanted("account", ("api_base",), (name, *endpoint.base_variables)) for name in named),
            )
        return (*key, _Wanted("address", ("api_base", "base_url"), endpoint.base_variables))
    return _WANTED.get(deployment.provider) or (
        _want_key(*list_key_variables().get(deployment.provider, ())),
    )


def uses_role(provider: str, params: Mapping[str, Any]) -> bool:
    """Return whether a model uses the Lambda function's IAM role.

    Args:
        provider: its provider.
        params: its litellm_params. Those that name the function's own variables name its role.
    """
    own = ("aws_access_key_id", "aws_profile_name", "aws_web_identity_token", "aws_role_name", "api_key")
    given = (params.get(name) for name in own if _is_given(params, name))
    return provider.startswith(ROLE_PROVIDERS) and all(value == _FUNCTIONS_KEY for value in given)


def _is_given(params: Mapping[str, Any], name: str) -> bool:
    # a reference to an unset variable is reported separately
    return name in params
