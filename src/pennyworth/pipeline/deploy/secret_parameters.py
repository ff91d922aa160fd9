"""Which of a stack's parameters are secrets, and the secrets in their values."""

from collections.abc import Callable, Iterable, Mapping

from pennyworth.aws.stack_parameters import PARAMETER
from pennyworth.gateway.credentials import API_KEYS, PROVIDER_CREDENTIALS, read_api_keys
from pennyworth.gateway.dotenv import read_dotenv

SECRETS: Mapping[str, Callable[[str], Iterable[str]]] = {
    "ApiKeys": lambda text: read_api_keys(text).keys,
    "ProviderCredentials": lambda text: [variable.value for variable in read_dotenv(text).variables],
    "AlarmEmail": lambda address: [address],
}
"""The stack parameters that hold secrets, and how each is taken apart."""

_VARIABLES = {API_KEYS: "ApiKeys", PROVIDER_CREDENTIALS: "ProviderCredentials"}
"""Environment variables with a parameter's value, beside PARAMETER_NAME."""
_TOKENS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITHUB_TOKEN")
"""Environment variables that are secrets as a whole."""

_SHORTEST_SECRET = 8  # a shorter value is a setting: masking it would blank half the log


def find_secrets(parameters: Mapping[str, str]) -> list[str]:
    """Each secret in some parameters' values: GitHub knows, and masks, only the whole. A secret of several lines, such
    as a PEM, is found line by line, because logs are masked so.
    """
    found = [
        line.strip()
        for name, taken_apart in SECRETS.items()
        for secret in taken_apart(parameters.get(name, ""))
        for line in secret.splitlines()
    ]
    return [line for line in dict.fromkeys(found) if len(line) >= _SHORTEST_SECRET]


def find_secrets_in(environ: Mapping[str, str]) -> list[str]:
    """Each secret in a step's environment."""
    own = {name: environ.get(f"{PARAMETER}{name}", "") for name in SECRETS}
    named = {parameter: environ.get(name, "") for name, parameter in _VARIABLES.items()}
    tokens = [environ[name] for name in _TOKENS if environ.get(name)]
    return [*find_secrets(own), *find_secrets(named), *tokens]
