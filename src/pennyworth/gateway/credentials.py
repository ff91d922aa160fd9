"""Reads API keys and providers' credentials as people paste them. Problems are told by place, never by content.

The gateway, the pipeline and the commands all read them here, so that what one accepts, no other misunderstands.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

API_KEYS = "LITELLM_API_KEYS"
PROVIDER_CREDENTIALS = "PROVIDER_CREDENTIALS"

RESERVED = frozenset(
    ["AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PENNYWORTH_PARAMETERS"]
)
"""Names of the function's own variables, which it also reads the parameters with."""

VALUE_BYTES = 4096
"""The size of a parameter of the standard tier:
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""

_WELL_KNOWN = frozenset(
    [
        "sk-1234",
        "sk-1234567890",
        "sk-your-key",
        "sk-your-secret-key",
        "your-litellm-master-key",
        "your-master-key",
        "your-secure-master-key-here",
    ]
)
_SHORTEST_KEY = 8
LONG_ENOUGH = 16
"""Characters of a key that nobody guesses."""

ADVICE = (
    "Write one NAME=value per line into PROVIDER_CREDENTIALS, with quotes around a value of several lines, and the keys"
    " in LITELLM_API_KEYS with commas between them."
)
"""What to do about problems."""

_UNREADABLE = "expected NAME=value"


class Problem(NamedTuple):
    """Something that is wrong with a text. Contains nothing of it."""

    place: str
    """Such as `PROVIDER_CREDENTIALS, line 3` or `LITELLM_API_KEYS, key 2`."""
    message: str

    def __str__(self) -> str:
        """Return both, such as `PROVIDER_CREDENTIALS, line 3: expected NAME=value`."""
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ApiKeys:
    """The keys in a text."""

    keys: tuple[str, ...]
    """Each once, without quotes."""
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProviderCredentials:
    """The variables in a text."""

    values: dict[str, str]
    """By name, without those that can't be understood."""
    problems: tuple[Problem, ...]


def read_api_keys(text: str, *, stored: bool = True) -> ApiKeys:
    """Read a list of API keys, separated by commas or lines. Quotes may stand around each key, or around all.

    Args:
        text: the list.
        stored: whether the keys go into the Parameter Store, and so must fit into it.
    """
    given = [_unquote(key) for key in _unquote(text.removeprefix("\ufeff")).replace("\n", ",").split(",")]
    given = [key for key in given if key]
    problems = [Problem(API_KEYS, "contains no key")] if text.strip() and not given else []
    for position, key in enumerate(given, 1):
        first = given.index(key) + 1
        if len(key.split()) > 1:
            message = "white space inside the key. Put commas between keys"
        elif first < position:
            message = f"the same as key {first}"
        else:
            message = (find_weakness(key) or explain_refusal(key)) if stored else ""
        if message:
            problems.append(Problem(f"{API_KEYS}, key {position}", message))
    return ApiKeys(tuple(dict.fromkeys(given)), tuple(problems))


def read_provider_credentials(text: str, *, stored: bool = True) -> ProviderCredentials:
    """Read variables in dotenv format.

    Args:
        text: one NAME=value per line. Values in quotes may have several lines.
        stored: whether the variables go into the Parameter Store, and so must fit into it.
    """
    from pennyworth.gateway.dotenv import read_dotenv  # takes time to load, which only those pay who need it

    found = read_dotenv(text)
    problems = dict.fromkeys(found.broken, _UNREADABLE)
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    for variable in found.variables:
        name, value, line = variable.name, variable.value, variable.line
        if _is_bare(name, value):
            problems[line] = _UNREADABLE
        elif not is_variable(name):
            problems[line] = "the name must have only letters, digits and _, and no digit first"
        elif name in lines:
            problems[line] = f"the name is already in line {lines[name]}"
        else:
            values[name], lines[name] = value, line
            if stored and (message := _explain_reserved(name) or explain_refusal(value)):
                problems[line] = message
    return ProviderCredentials(values, tuple(_group(problems)))


def find_weakness(key: str) -> str:
    """Say why a key must not open a gateway that strangers can reach; empty if it may. Contains no secret."""
    if key in _WELL_KNOWN:
        return f"{key} is in LiteLLM's documentation, so everybody knows it"
    if len(key) < _SHORTEST_KEY:
        return f"it has fewer than {_SHORTEST_KEY} characters, so it is quickly guessed. Use at least {LONG_ENOUGH}"
    return ""


def is_variable(name: str) -> bool:
    """Check whether a name can be an environment variable's: `[A-Za-z_][A-Za-z0-9_]*`."""
    return name.isascii() and name.isidentifier()


def explain_refusal(value: str) -> str:
    """Say why the Parameter Store does not take a value; empty if it does."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "the value is not UTF-8 text"
    if size > VALUE_BYTES:
        return f"the value has {size} bytes. The Parameter Store takes at most {VALUE_BYTES} (4 KB)"
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    return "the value contains {{, which the Parameter Store refuses" if "{{" in value else ""


def _explain_reserved(name: str) -> str:
    """Say why a name is taken; empty if it is free. These names are well known, so they may be shown."""
    if name in RESERVED:
        return f"{name} is reserved: the function has its own"
    if name in (API_KEYS, PROVIDER_CREDENTIALS):
        return f"{name} is reserved: it is a secret of its own"
    return ""


def _is_bare(name: str, value: str) -> bool:
    """Check whether a line is a key alone, in base64, whose padding looks like an assignment."""
    return not value.strip("=") and (bool(value) or name not in (name.upper(), name.lower()))


def _unquote(text: str) -> str:
    """Strip white space, and quotes of one kind around all of a text."""
    text = text.strip()
    quote = text[:1]
    if len(text) > 1 and quote in ("'", '"') and text[-1] == quote and quote not in text[1:-1]:
        return text[1:-1].strip()
    return text


def _group(problems: dict[int, str]) -> Iterator[Problem]:
    """Tell the problems in order. Neighbouring lines with the same one are told together, such as those of a PEM."""
    ordered = sorted(problems.items())
    for (message, _), group in itertools.groupby(
        enumerate(ordered), key=lambda one: (one[1][1], one[1][0] - one[0])
    ):
        lines = [line for _, (line, _) in group]
        where = f"line {lines[0]}" if len(lines) == 1 else f"lines {lines[0]} to {lines[-1]}"
        yield Problem(f"{PROVIDER_CREDENTIALS}, {where}", message)
