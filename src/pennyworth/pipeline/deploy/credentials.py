"""A repository's secrets on their way into the Parameter Store, where the function looks for its credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pennyworth.aws.credential_store import Credentials, CredentialsFailed, Outcome, parse_secrets
from pennyworth.aws.stack import Stack
from pennyworth.gateway.credentials import API_KEYS, PROVIDER_CREDENTIALS
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.deploy.secret_parameters import find_secrets

_TOLD: Mapping[Outcome, str] = {
    "written": "written",
    "unchanged": "as it was",
    "kept": "changed by hand since the secret was; left so",
    "removed": "removed: the secrets no longer hold it",
}


class Part(StrEnum):
    """What is done. A deployment writes before it and removes after it, because every version reads the same ones."""

    BOTH = "both"
    WRITE = "write"
    """Write new and changed ones."""
    REMOVE = "remove"
    """Delete those that the secrets no longer hold."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Whose credentials, and what the repository's secrets say."""

    stack: str
    region: str
    api_keys: str = field(repr=False)
    """Separated by commas or lines."""
    provider_credentials: str = field(default="", repr=False)
    """Dotenv text."""
    part: Part = Part.BOTH
    wait_seconds: float = 0.0
    """For how long another operation on the stack is waited for: its version may read the credentials of now."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: STACK_NAME, AWS_REGION, LITELLM_API_KEYS and, if wanted, PROVIDER_CREDENTIALS, PART
        and WAIT_MINUTES.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        part = environ.get("PART") or Part.BOTH
        if part not in list(Part):
            raise OperationFailed(f"PART is {part!r}", f"It is one of {', '.join(Part)}.")
        return cls(
            api_keys=actions.required(environ, API_KEYS),
            provider_credentials=environ.get(PROVIDER_CREDENTIALS, ""),
            stack=actions.required(environ, "STACK_NAME"),
            region=actions.required(environ, "AWS_REGION"),
            part=Part(part),
            wait_seconds=60 * actions.number(environ, "WAIT_MINUTES", 0),
        )

    def secrets(self) -> list[str]:
        """What must stand in no log."""
        return find_secrets({"ApiKeys": self.api_keys, "ProviderCredentials": self.provider_credentials})


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the credentials."""

    path: str
    """Below which they are."""
    outcomes: Mapping[str, Outcome]
    """By name."""


def write_credentials(inputs: Inputs) -> Written:
    """Write what has changed, and remove what the secrets no longer hold, as far as that is asked for.

    Raises:
        OperationFailed: they can't be used, and nothing was written; or they can't be written.
    """
    wanted = parse_secrets(inputs.api_keys, inputs.provider_credentials)
    if inputs.wait_seconds:
        Stack(inputs.stack, inputs.region).wait_until_idle(inputs.wait_seconds, actions.say)
    credentials = Credentials(inputs.stack, inputs.region)
    outcomes: dict[str, Outcome] = {}
    try:
        if inputs.part is not Part.REMOVE:
            outcomes |= credentials.write(wanted)
        if inputs.part is not Part.WRITE:
            outcomes |= credentials.remove_absent(wanted)
    except CredentialsFailed as failure:
        raise OperationFailed(
            "The credentials can't be written",
            "The deploy role needs ssm:PutParameter, GetParametersByPath, GetParameterHistory and DeleteParameter below"
            f" {credentials.path}: `pennyworth bootstrap` brings it what policies/deployment.json has.",
            str(failure),
        ) from failure
    return Written(credentials.path, outcomes)


def written_as_markdown(written: Written) -> str:
    """What was done, by name; empty where there was nothing to do."""
    if not written.outcomes:
        return ""
    rows = [(f"`{name}`", _TOLD[outcome]) for name, outcome in sorted(written.outcomes.items())]
    return f"Below `{written.path}`:\n\n{actions.table(('', ''), rows)}"
