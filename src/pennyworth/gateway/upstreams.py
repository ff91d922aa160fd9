"""Where a deployment's requests go: its address, credentials and headers, resolved when settings are made.

So a request keeps what it began with, and what is put on the wire is what is scrubbed from whatever comes back.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from pennyworth import __version__
from pennyworth.gateway.addresses import parse_base_url, parse_header, parse_key
from pennyworth.gateway.config import Deployment, names_secret, read_flag
from pennyworth.gateway.errors import UpstreamFailure
from pennyworth.gateway.provider import Address, Choices, Provider

if TYPE_CHECKING:
    from pennyworth.gateway.aws.credentials import CredentialSource

_SHORTEST_SECRET = 6
_NO_CHOICES = Choices()

_SPOKEN_OTHERWISE = frozenset(
    [
        "anthropic",
        "azure",
        "azure_ai",
        "bedrock",
        "bedrock_mantle",
        "cohere",
        "cohere_chat",
        "gemini",
        "huggingface",
        "ollama",
        "ollama_chat",
    ]
)
"""LiteLLM speaks another API of theirs than the direct lane, at an address of its own."""

_NO_KEY = "none"
"""For a server without keys. Without any, LiteLLM would send it OpenAI's."""


class Signing(NamedTuple):
    """How requests to AWS are signed."""

    source: "CredentialSource"
    region: str
    service: str
    """Its signing name, such as `bedrock`."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream as one deployment reaches it."""

    deployment: Deployment
    """With a `*` where it is a wildcard's."""
    base_url: str = ""
    """Without a slash at the end; on the direct lane only."""
    path: str = "{path}"
    """Where an endpoint lies below it: `{path}` stands for its own path, `{model}` for the model's name."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of every request, the credentials among them; on the direct lane only."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must never reach a client or a log, the longest first."""
    choices: Choices = _NO_CHOICES
    """What may be left out of a request; on the direct lane only."""
    signing: Signing | None = None
    """How requests are signed; None where a key is enough."""
    other_headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """In place of `headers`, by what is asked for, as `Provider.also` has it."""
    connection: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Address and key for LiteLLM where it only translates. Else it finds them itself."""
    problem: str = ""
    """Why it can't be called; empty where it can."""

    @property
    def provider(self) -> Provider:
        """How the provider is reached on the direct lane, and what is changed for it."""
        return self.deployment.endpoint()

    def locate(self, path: str, model: str, native: str = "") -> str:
        """The URL of an endpoint.

        Args:
            path: the endpoint's, such as /chat/completions.
            model: the upstream's own name for the model.
            native: what is asked for, as `Provider.also` has it.
        """
        place = self.provider.elsewhere.get(native, "")
        if place.startswith("/"):
            return _origin(self.base_url) + place + path
        if place and _origin(self.base_url) == _origin(self.provider.base_url or ""):
            return place + path  # the key is for the host that is configured, and no other
        if self.path != "{path}":
            path = self.path.replace("{path}", path).replace("{model}", quote(model, safe=""))
        return self.base_url + path

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """The headers of a request, signed where the upstream wants it.

        Args:
            method: GET or POST.
            url: where it goes.
            headers: all that it has.
            body: what it sends, empty for none.
        Raises:
            UpstreamFailure: 500 `gateway_misconfigured`: there are no credentials.
        """
        if self.signing is None:
            return headers
        from pennyworth.gateway.aws.signing import NoCredentials, Signer

        try:
            signer = Signer(self.signing.source(), self.signing.region, self.signing.service)
        except NoCredentials as missing:
            raise self._misconfigured(f"there are no AWS credentials: {missing}") from None
        return signer.signed(method, url, headers, body, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))

    def require(self) -> None:
        """Refuse where it can't be called.

        Raises:
            UpstreamFailure: 500 `gateway_misconfigured`, which says what is missing.
        """
        if self.problem:
            raise self._misconfigured(self.problem)

    def _misconfigured(self, problem: str) -> UpstreamFailure:
        failure = UpstreamFailure(
            500,
            f"The model '{self.deployment.name}' is not fully configured here: {problem}.",
            code="gateway_misconfigured",
        )
        failure.sent = False
        return failure

    def scrubbed(self, text: str) -> str:
        """A text without the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def resolve_upstream(
    deployment: Deployment, environ: Mapping[str, str], *, drop_params: bool = False
) -> Upstream:
    """How a deployment is reached with an environment's variables.

    Args:
        deployment: whose provider is known.
        environ: the variables that hold addresses and credentials where its parameters do not.
        drop_params: whether what an upstream refuses is left out where the deployment does not say.
    """
    if deployment.missing:
        names = ", ".join(deployment.missing)
        return Upstream(deployment, problem=f"environment variable {names} is not set in the gateway")
    if found := find_unsendable(deployment):
        return Upstream(deployment, problem=f"litellm_params.{found[0]} {found[1]}")
    if deployment.lane == "litellm":
        # which of the variables LiteLLM takes is its own affair
        named = [value for name, value in environ.items() if names_secret(name)]
        secrets = _longest_first([*deployment.secrets(), *named])
        if not deployment.bridged or deployment.provider in _SPOKEN_OTHERWISE:
            return Upstream(deployment, secrets=secrets)
        # the direct lane's: LiteLLM would send some providers' keys, and what has no address, to OpenAI
        try:
            address, key = _address(deployment, environ), _key(deployment, environ)
        except ValueError as problem:
            return Upstream(deployment, problem=str(problem))
        connection = {"api_base": address.base_url, "api_key": key or _NO_KEY}
        return Upstream(deployment, secrets=secrets, connection=connection)
    address, provider = Address(""), deployment.endpoint()
    try:
        address = _address(deployment, environ)
        key = _key(deployment, environ)
        headers = {**address.headers, **_headers(deployment, key, address.key_header)}
        other_headers = {
            native: _headers(deployment, key, key_header)
            for native, key_header in provider.key_headers.items()
        }
    except ValueError as problem:
        return Upstream(deployment, address.base_url, problem=str(problem))
    others = [environ[name] for name in provider.key_variables if name in environ]
    signing = None
    if provider.service and not key:
        from pennyworth.gateway.bedrock import find_credentials

        signing = Signing(find_credentials(deployment.params, environ), address.region, provider.service)
        others += [value for name, value in environ.items() if name.startswith("AWS_") and names_secret(name)]
    return Upstream(
        deployment,
        address.base_url,
        address.path,
        headers,
        _longest_first([*deployment.secrets(), *others, key]),
        _choices(deployment.params, drop_params),
        signing,
        other_headers,
    )


def _origin(url: str) -> str:
    """Scheme, host and port of an address."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def find_unsendable(deployment: Deployment) -> tuple[str, str] | None:
    """The parameter of a deployment that no request could carry, and why, without its value; None where all can."""
    params = deployment.params
    # Azure's are shown with their query
    whole = deployment.lane == "direct" and not deployment.provider.startswith("azure")
    try:
        for name in ("api_base", "base_url"):
            if params.get(name):
                parse_base_url(str(params[name]), whole=whole)
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


def _address(deployment: Deployment, environ: Mapping[str, str]) -> Address:
    provider, params = deployment.endpoint(), deployment.params
    named = (environ[name] for name in provider.base_variables if environ.get(name))
    written = str(params.get("api_base") or params.get("base_url") or next(named, ""))
    # imported only here, as few deployments are there
    if deployment.provider.startswith("azure"):
        from pennyworth.gateway.azure import resolve_azure

        return resolve_azure(deployment.provider, written, params, environ)
    if provider.service:
        from pennyworth.gateway.bedrock import resolve_bedrock

        return resolve_bedrock(deployment.provider, deployment.model, written, params, environ)
    if not written:
        return Address(_default(provider, environ), provider.path, provider.key_header)
    try:
        base = parse_base_url(written)
    except ValueError as problem:
        raise ValueError(f"litellm_params.api_base {problem}") from None
    if not base.endswith(provider.suffix):
        base += provider.suffix
    return Address(base, provider.path, provider.key_header)


def _default(provider: Provider, environ: Mapping[str, str]) -> str:
    if not provider.base_url:
        raise ValueError("litellm_params.api_base must be the provider's address")

    def value(found: re.Match[str]) -> str:
        if not environ.get(found[1]):
            raise ValueError(f"environment variable {found[1]} is not set in the gateway")
        return quote(environ[found[1]].strip(), safe="")

    return re.sub(r"\{(\w+)\}", value, provider.base_url)


def _choices(params: Mapping[str, Any], drop_params: bool) -> Choices:
    def names(name: str) -> list[str]:
        value = params.get(name)
        return [str(item) for item in value] if isinstance(value, list) else []

    own = read_flag(params.get("drop_params"))
    return Choices(
        drop_params if own is None else own,
        frozenset(names("allowed_openai_params")),
        tuple(names("additional_drop_params")),
    )


def _key(deployment: Deployment, environ: Mapping[str, str]) -> str:
    provider = deployment.endpoint()
    named = (environ[name] for name in provider.key_variables if environ.get(name))
    key = parse_key(str(deployment.params.get("api_key") or next(named, "")))
    if not key and not provider.key_optional and not provider.service:
        raise ValueError(
            f"the gateway lacks the credentials of '{deployment.provider}' (environment variable"
            f" {provider.key_variables[0]})"
        )
    return key


def _headers(deployment: Deployment, key: str, key_header: tuple[str, str]) -> dict[str, str]:
    params = deployment.params
    name, prefix = key_header
    headers = {
        "Accept": "application/json, text/event-stream",
        "Accept-Encoding": "identity",
        "User-Agent": f"pennyworth/{__version__}",
    }
    if key:
        for beginning, (kind, value) in deployment.endpoint().key_kinds.items():
            if key.startswith(beginning):
                key = key.removeprefix(beginning)
                headers[kind] = value.replace("{key}", key)
                break
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
