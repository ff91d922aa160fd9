"""Which of a stack's parameters are secrets, and the secrets in their values."""

from collections.abc import Callable, Iterable, Mapping

from pennyworth.gateway.credentials import read_api_keys
from pennyworth.gateway.dotenv import read_dotenv

SECRETS: Mapping[str, Callable[[str], Iterable[str]]] = {
    "ApiKeys": lambda text: read_api_keys(text).keys,
    "ProviderCredentials": lambda text: [variable.value for variable in read_dotenv(text).variables],
    "AlarmEmail": lambda address: [address],
}
"""The stack parameters that hold secrets, and how each is taken apart."""

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
