"""See that the settings are there without which nothing can be done, and that the choices are ones that there are."""

from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed

TITLE = "Settings"

_NEEDED = ("AWS_REGION", "STACK_NAME", "LITELLM_API_KEYS")
_CHOICES = {
    "SMOKE": ("", "full", "light", "none"),
    "ROLLBACK": ("", "true", "false"),
    "DRY_RUN": ("", "true", "false"),
    "STRICT": ("", "true", "false"),
}

_NUMBERS = ("KEEP_VERSIONS", "WAIT_MINUTES")


def run(environ: dict[str, str]) -> str:
    """Look at all of them.

    Args:
        environ: the settings by the names of the repository's secrets; STATIC_KEYS, whether there is a user's key in
            the role's place; SMOKE, ROLLBACK, DRY_RUN and STRICT.
    Returns:
        nothing: there is nothing to say of settings that are right.
    Raises:
        OperationFailed: with every one that is missing or wrong.
    """
    needed = [*([] if environ.get("STATIC_KEYS") == "true" else ["AWS_DEPLOY_ROLE_ARN"]), *_NEEDED]
    missing = [f"The secret {name} is missing" for name in needed if not environ.get(name, "").strip()]
    wrong = [
        f"{name.lower().replace('_', '-')} is {environ[name]!r}: it is {', '.join(filter(None, choices))}"
        for name, choices in _CHOICES.items()
        if environ.get(name, "") not in choices
    ]
    for name in _NUMBERS:
        try:
            actions.number(environ, name, 1)
        except OperationFailed as failure:
            wrong.append(f"{name.lower().replace('_', '-')} is {environ[name]!r}. {failure.message}")
    if missing or wrong:
        raise OperationFailed(
            "The settings are not complete" if missing else "A setting is none that there is",
            "Secrets: Settings → Secrets and variables → Actions; README.md says which there are.",
            "\n".join([*missing, *wrong]),
        )
    return ""
