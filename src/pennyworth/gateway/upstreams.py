"""Where a deployment's requests go: its address, credentials and headers, resolved when settings are made.

So a request keeps what it began with, and what is put on the wire is what is scrubbed from whatever comes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pennyworth import __version__
from pennyworth.gateway.addresses import parse_base_url, parse_header, parse_key
from pennyworth.gateway.config import Deployment, names_secret
from pennyworth.gateway.errors import ApiError

_SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream as one deployment reaches it."""

    deployment: Deployment
    """With a `*` where it is a wildcard's."""
    base_url: str = ""
    """Without a slash at the end; on the direct lane only."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of every request, the credentials among them; on the direct lane only."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must never reach a client or a log, the longest first."""
    problem: str = ""
    """Why it can't be called; empty where it can."""

    def require(self) -> None:
        """Refuse where it can't be called.

        Raises:
            ApiError: 500 `gateway_misconfigured`, which says what is missing.
        """
        if self.problem:
            raise ApiError(
                500,
                f"The model '{self.deployment.name}' is not fully configured here: {self.problem}.",
                code="gateway_misconfigured",
            )

    def scrubbed(self, text: str) -> str:
        """A text without the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def resolve_upstream(deployment: Deployment, environ: Mapping[str, str]) -> Upstream:
    """How a deployment is reached with an environment's variables.

    Args:
        deployment: whose provider is known.
        environ: the variables that hold addresses and credentials where its parameters do not.
    """
    if deployment.missing:
        names = ", ".join(deployment.missing)
        return Upstream(deployment, problem=f"environment variable {names} is not set in the gateway")
    if found := find_unsendable(deployment):
        return Upstream(deployment, problem=f"litellm_params.{found[0]} {found[1]}")
    if deployment.lane == "litellm":
        # which of the variables LiteLLM takes is its own affair
        named = [value for name, value in environ.items() if names_secret(name)]
        return Upstream(deployment, secrets=_longest_first([*deployment.secrets(), *named]))
    base_url = ""
    try:
        base_url = _base_url(deployment, environ)
        key = _key(deployment, environ)
        headers = _headers(deployment, key)
    except ValueError as problem:
        return Upstream(deployment, base_url, problem=str(problem))
    others = [environ[name] for name in deployment.endpoint().key_variables if name in environ]
    return Upstream(
        deployment,
        base_url,
        headers,
        _longest_first([*deployment.secrets(), *others, key]),
    )


def find_unsendable(deployment: Deployment) -> tuple[str, str] | None:
    """The parameter of a deployment that no request could carry, and why, without its value; None where all can."""
    params = deployment.params
    try:
        for name in ("api_base", "base_url"):
            if params.get(name):
                parse_base_url(str(params[name]), whole=deployment.lane == "direct")
        name = "api_key"
        if params.get(name):
            parse_key(str(params[name]))
        name = "organization"
        parse_header(name, params.get(name) or "")
        for name in ("extra_headers", "extra_body"):
            if not isinstance(params.get(name) or {}, Mapping):
                return name, "must be a mapping"
        name = "extra_headers"
        for header, value in (params.get(name) or {}).items():
            if value is not None:
                parse_header(str(header), value)
    except ValueError as problem:
        return name, str(problem)
    return None


def _base_url(deployment: Deployment, environ: Mapping[str, str]) -> str:
    provider, params = deployment.endpoint(), deployment.params
    named = (environ[name] for name in provider.base_variables if environ.get(name))
    written = str(params.get("api_base") or params.get("base_url") or next(named, provider.base_url) or "")
    if not written:
        raise ValueError("litellm_params.api_base must be the provider's address")
    try:
        base = parse_base_url(written)
    except ValueError as problem:
        raise ValueError(f"litellm_params.api_base {problem}") from None
    if provider.base_suffix and not base.endswith(provider.base_suffix):
        base = base.removesuffix("/openai") + provider.base_suffix
    return base


def _key(deployment: Deployment, environ: Mapping[str, str]) -> str:
    provider = deployment.endpoint()
    named = (environ[name] for name in provider.key_variables if environ.get(name))
    key = parse_key(str(deployment.params.get("api_key") or next(named, "")))
    if not key and not provider.key_optional:
        raise ValueError(
            f"the gateway lacks the credentials of '{deployment.provider}' (environment variable"
            f" {provider.key_variables[0]})"
        )
    return key


def _headers(deployment: Deployment, key: str) -> dict[str, str]:
    params = deployment.params
    name, prefix = deployment.endpoint().key_header
    headers = {
        "Accept": "application/json, text/event-stream",
        "Accept-Encoding": "identity",
        "User-Agent": f"pennyworth/{__version__}",
    }
    if key:
        headers[name] = prefix + key
    if params.get("organization"):
        headers["OpenAI-Organization"] = str(params["organization"])
    extra = params.get("extra_headers") or {}
    written = dict(parse_header(str(name), value) for name, value in extra.items() if value is not None)
    replaced = {name.lower() for name in written}  # in whichever letters
    return {**{name: value for name, value in headers.items() if name.lower() not in replaced}, **written}


def _longest_first(secrets: list[str]) -> tuple[str, ...]:
    # one may hold another one
    worth = {secret.strip() for secret in secrets if len(secret.strip()) >= _SHORTEST_SECRET}
    return tuple(sorted(worth, key=len, reverse=True))
