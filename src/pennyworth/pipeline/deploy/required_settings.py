"""The settings without which nothing can be deployed, and those that are one of a few choices."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed

_NEEDED = ("AWS_REGION", "STACK_NAME", "LITELLM_API_KEYS")
_ROLE = "AWS_DEPLOY_ROLE_ARN"
_YES_OR_NO = ("", "true", "false")
_CHOICES = {
    "SMOKE": ("", "full", "light", "none"),
    "ROLLBACK": _YES_OR_NO,
    "DRY_RUN": _YES_OR_NO,
    "STRICT": _YES_OR_NO,
}
_NUMBERS = ("KEEP_VERSIONS", "WAIT_MINUTES")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The settings as they were given, by the names of the repository's secrets and of the steps' variables."""

    given: Mapping[str, str] = field(repr=False)
    static_keys: bool = False
    """Whether a user's key stands in the role's place."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them; STATIC_KEYS says whether there is a user's key."""
        names = (_ROLE, *_NEEDED, *_CHOICES, *_NUMBERS)
        return cls(
            {name: environ[name] for name in names if name in environ},
            environ.get("STATIC_KEYS") == "true",
        )


def check_settings(inputs: Inputs) -> None:
    """Look at all of them.

    Raises:
        OperationFailed: with every one that is missing or wrong.
    """
    needed = _NEEDED if inputs.static_keys else (_ROLE, *_NEEDED)
    missing = [f"The secret {name} is missing" for name in needed if not inputs.given.get(name, "").strip()]
    wrong = [
        f"{_option(name)} is {value!r}: it is {', '.join(filter(None, choices))}"
        for name, choices in _CHOICES.items()
        if (value := inputs.given.get(name, "")) not in choices
    ]
    for name in _NUMBERS:
        try:
            actions.number(inputs.given, name, 1)
        except OperationFailed as failure:
            wrong.append(f"{_option(name)} is {inputs.given[name]!r}. {failure.message}")
    if missing or wrong:
        raise OperationFailed(
            "The settings are not complete" if missing else "A setting is none that there is",
            "Secrets: Settings → Secrets and variables → Actions; README.md says which there are.",
            "\n".join([*missing, *wrong]),
        )


def _option(name: str) -> str:
    return name.lower().replace("_", "-")
