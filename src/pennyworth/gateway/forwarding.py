"""Which of a client's own headers go on to a provider, where the configuration asks for it.

None does by default. Never a credential, a cookie, what speaks to the gateway itself (`x-litellm-*`), or what proxies
and AWS add on the way (`x-forwarded-*`, `x-amzn-*`): LiteLLM passes those on.
https://docs.litellm.ai/docs/proxy/forward_client_headers
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pennyworth.gateway.callers import KEY_HEADERS
from pennyworth.gateway.wsgi import Request

_BEGINNINGS = ("x-", "anthropic-beta")
_NEVER = ("x-amz", "x-forwarded-", "x-goog-", "x-litellm-", "x-real-ip", "x-stainless-")
_ORGANIZATION = "openai-organization"

Headers = Mapping[str, str]


class Forwarding(NamedTuple):
    """What is passed on, and for which models."""

    everywhere: bool = False
    """`general_settings.forward_client_headers_to_llm_api`."""
    models: tuple[str, ...] = ()
    """`litellm_settings.model_group_settings.forward_client_headers_to_llm_api`; may hold a `*`."""
    organization: bool = False
    """`general_settings.forward_openai_org_id`: OpenAI gets the client's OpenAI-Organization."""

    def choose(self, request: Request, model: str, provider: str) -> Headers:
        """Choose the headers of a request that go on.

        Args:
            request: the client's.
            model: the one that answers: what goes to it does not go to those that stand in for it.
            provider: whom the request goes to.
        """
        chosen = dict(_forwardable(request)) if self.everywhere or self._names(model) else {}
        if self.organization and provider == "openai" and (named := request.header(_ORGANIZATION)):
            chosen[_ORGANIZATION] = named
        return chosen

    def _names(self, model: str) -> bool:
        if not self.models:
            return False
        from fnmatch import fnmatchcase

        return any(fnmatchcase(model, pattern) for pattern in self.models)


def _forwardable(request: Request) -> Iterator[tuple[str, str]]:
    for variable, value in request.environ.items():
        if variable.startswith("HTTP_"):
            name = variable[5:].replace("_", "-").lower()
            if name.startswith(_BEGINNINGS) and name not in KEY_HEADERS and not name.startswith(_NEVER):
                yield name, value


def add_forwarded(headers: Headers, forwarded: Headers) -> Headers:
    """Headers of the operator's with those that are passed on; the operator's win, in whichever letters."""
    if not forwarded:
        return headers
    own = {name.lower() for name in headers}
    return {**{name: value for name, value in forwarded.items() if name not in own}, **headers}


def list_forwarded_models(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """List the models to which litellm_settings have clients' headers passed on."""
    groups = settings.get("model_group_settings")
    models = groups.get("forward_client_headers_to_llm_api") if isinstance(groups, Mapping) else None
    return tuple(map(str, models)) if isinstance(models, list) else ()
