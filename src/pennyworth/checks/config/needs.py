"""What a model needs of the environment: its provider's key, and an address or project where there is no default."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pennyworth.checks.config.catalogue import key_variables
from pennyworth.checks.config.report import Need
from pennyworth.gateway.config import Deployment

ROLE_PROVIDERS = ("bedrock", "sagemaker")
"""What the names of providers begin with that the function's own role can open."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Something that LiteLLM takes from a parameter or else from a variable."""

    purpose: str
    parameters: tuple[str, ...]
    variables: tuple[str, ...]


def _key(*variables: str) -> _Wanted:
    return _Wanted("key", ("api_key",), variables)


# Where more than one key is wanted, or LiteLLM's list of variables (catalogue.py) is not complete. From its providers'
# pages, https://docs.litellm.ai/docs/providers, and its sources.
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
        _key("AZURE_AI_API_KEY"),
        _Wanted("address", ("api_base", "base_url"), ("AZURE_AI_API_BASE",)),
    ),
    "cloudflare": (
        _key("CLOUDFLARE_API_KEY"),
        _Wanted("account", ("api_base",), ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_BASE")),
    ),
    "cohere": (_key("COHERE_API_KEY", "CO_API_KEY"),),
    "cohere_chat": (_key("COHERE_API_KEY", "CO_API_KEY"),),
    "databricks": (
        _key("DATABRICKS_API_KEY", "DATABRICKS_CLIENT_SECRET"),
        _Wanted("address", ("api_base", "base_url"), ("DATABRICKS_API_BASE",)),
    ),
    "gemini": (_key("GEMINI_API_KEY", "GOOGLE_API_KEY"),),
    "github": (_key("GITHUB_API_KEY"),),
    "huggingface": (_key("HUGGINGFACE_API_KEY", "HF_TOKEN"),),
    "perplexity": (_key("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),),
    "vertex_ai": _VERTEX,
    "vertex_ai_beta": _VERTEX,
    "watsonx": (
        _key("WATSONX_APIKEY", "WATSONX_API_KEY", "WATSONX_TOKEN"),
        _Wanted("address", ("api_base", "base_url"), ("WATSONX_URL", "WATSONX_API_BASE")),
    ),
}


def needs(deployment: Deployment, environ: Mapping[str, str]) -> Iterator[Need]:
    """What a model needs besides what its own parameters name.

    Args:
        deployment: the model.
        environ: the environment that it will find.
    """
    for wanted in _wanted(deployment):
        if not any(_given(deployment.params, name) for name in wanted.parameters) and wanted.variables:
            met = any(environ.get(name) for name in wanted.variables)
            yield Need(wanted.variables, wanted.purpose, wanted.parameters[0], met)


def _wanted(deployment: Deployment) -> tuple[_Wanted, ...]:
    if not deployment.provider:
        return ()  # the request names it
    if deployment.lane == "direct":
        endpoint = deployment.endpoint()
        key = () if endpoint.key_optional else (_key(*endpoint.key_variables),)
        if endpoint.base_url:
            return key
        return (*key, _Wanted("address", ("api_base", "base_url"), endpoint.base_variables))
    if uses_role(deployment):
        return ()
    return _WANTED.get(deployment.provider) or (_key(*key_variables().get(deployment.provider, ())),)


def uses_role(deployment: Deployment) -> bool:
    """Whether the function's own role would open a model's provider, with nothing said in the configuration."""
    own = ("aws_access_key_id", "aws_profile_name", "aws_web_identity_token", "aws_role_name", "api_key")
    return deployment.provider.startswith(ROLE_PROVIDERS) and not any(
        _given(deployment.params, name) for name in own
    )


def _given(params: Mapping[str, Any], name: str) -> bool:
    # a reference to a variable that is not set is reported by itself
    return name in params
