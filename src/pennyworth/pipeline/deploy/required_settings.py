"""The settings of a deployment, checked before anything runs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack_parameters import PARAMETER, PARAMETERS, check_parameters, read_parameters
from pennyworth.aws.tags import TAGS, read_tags
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
_FORMS = {
    _ROLE: (r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", "a role's ARN, arn:aws:iam::ACCOUNT:role/NAME"),
    "AWS_REGION": (r"[a-z]{2}(-[a-z]+)+-\d+", "the name of a region, such as us-west-2"),
    "STACK_NAME": (r"[A-Za-z][A-Za-z0-9-]{0,127}", "letters, digits and hyphens, with a letter first"),
}
"""What a setting must look like, and that in words. They may be secrets, so that no message shows them."""
_YES_OR_NO = ("", "true", "false")
_CHOICES = {
    "SMOKE": ("", "full", "light", "none"),
    "LITELLM_LANE": ("", "auto", "yes", "no"),
    "REQUIRE_DOMAIN": _YES_OR_NO,
    "ROLLBACK": _YES_OR_NO,
    "DRY_RUN": _YES_OR_NO,
    "EXECUTE": _YES_OR_NO,
    "REVERT_DRIFT": _YES_OR_NO,
    "STRICT": _YES_OR_NO,
}
_RESERVED = ("aws", "ssm")
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html"""

_DURATION = "ROLE_DURATION_SECONDS"
_NUMBERS = ("KEEP_VERSIONS", "WAIT_MINUTES", "SMOKE_WAIT_SECONDS", "SMOKE_LONG_SECONDS", _DURATION)

_SECONDS = range(900, 43200 + 1)
"""For how long STS gives credentials out:
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html"""
_DEFAULT_SECONDS = 3600
_ROLLOUT = re.compile(r"(canary|linear)-10-percent-(?:every-)?(\d+)-minutes?")
_LINEAR_STEPS = 9
_OTHER_MINUTES = 10
"""What a deployment takes beside its rollout: the upload, and the resources before and after it."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The settings as they were given, by the names of the repository's secrets and of the steps' variables."""

    given: Mapping[str, str] = field(repr=False)
    static_keys: bool = False
    """Whether a user's static keys are used instead of the role."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them. STATIC_KEYS says whether there are a user's static keys."""
        names = {_ROLE, *_REQUIRED, *_CHOICES, *_NUMBERS, PARAMETERS, PROVIDER_CREDENTIALS, TAGS}
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
    wrong = [*_find_wrong(inputs.given), *([] if inputs.static_keys else _find_too_long(inputs.given))]
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
    for name, (pattern, words) in _FORMS.items():
        if (value := given.get(name, "").strip()) and not re.fullmatch(pattern, value):
            yield f"{name} must be {words}"
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
    try:
        read_tags(given.get(TAGS, "").splitlines())
    except OperationFailed as failure:
        yield from (f"tags: {line}" for line in failure.detail.splitlines())


def _find_too_long(given: Mapping[str, str]) -> Iterator[str]:
    """What would outlast the role's credentials, which are taken anew before the deployment and after it."""
    try:
        seconds = actions.number(given, _DURATION, _DEFAULT_SECONDS)
        waits = 60 * actions.number(given, "WAIT_MINUTES", 0)
        rollout = _ROLLOUT.fullmatch(read_parameters(given).get("Rollout", ""))
    except OperationFailed:
        return  # is told already
    if seconds not in _SECONDS:
        limits = f"{_SECONDS[0]} to {_SECONDS[-1]}"
        yield f"{_option(_DURATION)} is {seconds:.0f}, but AWS gives out credentials for {limits}"
        return
    if waits > seconds:
        yield f"wait-minutes is longer than the credentials last, {seconds / 60:.0f} min"
    if rollout:
        minutes = int(rollout[2]) * (_LINEAR_STEPS if rollout[1] == "linear" else 1)
        needed = 60 * (minutes + _OTHER_MINUTES)
        if needed > seconds:
            yield (
                f"Rollout takes {minutes} min, and the credentials last {seconds / 60:.0f} min: nobody could test the"
                f" new version after that. Run `pennyworth bootstrap --max-session-seconds {needed}`, then set"
                f" {_option(_DURATION)} to {needed}. Or choose a quicker rollout"
            )


def _option(name: str) -> str:
    return name.lower().replace("_", "-")
