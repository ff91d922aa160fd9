"""The settings of a deployment, checked before anything runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack_parameters import PARAMETER, PARAMETERS, check_parameters, read_parameters
from pennyworth.gateway.credentials import (
    ADVICE,
    API_KEYS,
    PROVIDER_CREDENTIALS,
    read_api_keys,
    read_provider_credentials,
)
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.build.target import TEMPLATE
from pennyworth.pipeline.deploy.secret_parameters import find_secrets

_REQUIRED = ("AWS_REGION", "STACK_NAME", API_KEYS)
_ROLE = "AWS_DEPLOY_ROLE_ARN"
_YES_OR_NO = ("", "true", "false")
_CHOICES = {
    "SMOKE": ("", "full", "light", "none"),
    "ROLLBACK": _YES_OR_NO,
    "DRY_RUN": _YES_OR_NO,
    "STRICT": _YES_OR_NO,
}
_RESERVED = ("aws", "ssm")
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html"""

_NUMBERS = ("KEEP_VERSIONS", "WAIT_MINUTES")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The settings as they were given, by the names of the repository's secrets and of the steps' variables."""

    given: Mapping[str, str] = field(repr=False)
    static_keys: bool = False
    """Whether a user's static keys are used instead of the role."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them. STATIC_KEYS says whether there are a user's static keys."""
        names = {_ROLE, *_REQUIRED, *_CHOICES, *_NUMBERS, PARAMETERS, PROVIDER_CREDENTIALS}
        return cls(
            {name: value for name, value in environ.items() if name in names or name.startswith(PARAMETER)},
            environ.get("STATIC_KEYS") == "true",
        )

    def secrets(self) -> list[str]:
        """What must stand in no log."""
        given = {"ApiKeys": API_KEYS, "ProviderCredentials": PROVIDER_CREDENTIALS}
        return find_secrets({parameter: self.given.get(name, "") for parameter, name in given.items()})


def check_settings(inputs: Inputs) -> None:
    """Check all of them.

    Raises:
        OperationFailed: with every one that is missing or wrong.
    """
    required = _REQUIRED if inputs.static_keys else (_ROLE, *_REQUIRED)
    missing = [f"The secret {name} is missing" for name in required if not inputs.given.get(name, "").strip()]
    unusable = [*_find_unusable(inputs.given)]
    wrong = [*_find_wrong(inputs.given)]
    if missing or unusable or wrong:
        advice = "Set secrets and variables under Settings → Secrets and variables → Actions. README.md lists them."
        raise OperationFailed(
            "Settings are missing" if missing else "Settings are wrong",
            f"{advice} {ADVICE}" if unusable else advice,
            "\n".join([*missing, *unusable, *wrong]),
        )


def _find_unusable(given: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the secrets that are credentials."""
    yield from map(str, read_api_keys(given.get(API_KEYS, "")).problems)
    yield from map(str, read_provider_credentials(given.get(PROVIDER_CREDENTIALS, "")).problems)


def _find_wrong(given: Mapping[str, str]) -> Iterator[str]:
    if given.get("STACK_NAME", "").strip().lower().startswith(_RESERVED):
        yield (
            f"STACK_NAME begins with {' or '.join(_RESERVED)}. The Parameter Store holds the credentials below the"
            " stack's name, and refuses such names"
        )
    for name, choices in _CHOICES.items():
        if (value := given.get(name, "")) not in choices:
            yield f"{_option(name)} is {value!r}, but must be one of {', '.join(filter(None, choices))}"
    for name in _NUMBERS:
        try:
            actions.number(given, name, 1)
        except OperationFailed as failure:
            yield f"{_option(name)} is {given[name]!r}. {failure.message}"
    try:
        check_parameters(SourceTemplate.read(TEMPLATE).document, read_parameters(given))
    except OperationFailed as failure:
        yield from (f"parameters: {line}" for line in failure.detail.splitlines())


def _option(name: str) -> str:
    return name.lower().replace("_", "-")
