"""Write the repository's secrets into the Parameter Store, where the function looks for its credentials."""

from pennyworth.aws.credential_store import API_KEYS, Credentials, CredentialsFailed, from_secrets
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.deploy.parameters import PARAMETER, secret_values

TITLE = "Credentials"

_TOLD = {
    "written": "written",
    "unchanged": "as it was",
    "kept": "changed by hand since the secret was; left so",
    "removed": "removed: the secrets no longer hold it",
}


def run(environ: dict[str, str]) -> str:
    """Write what has changed.

    Args:
        environ: STACK_NAME; AWS_REGION; LITELLM_API_KEYS; PROVIDER_CREDENTIALS, dotenv text.
    Returns:
        what was done, by name.
    Raises:
        OperationFailed: they can't be written.
    """
    keys = actions.required(environ, API_KEYS)
    providers = environ.get("PROVIDER_CREDENTIALS", "")
    for parameter, text in (("ApiKeys", keys), ("ProviderCredentials", providers)):
        for secret in secret_values(PARAMETER + parameter, text):
            actions.mask(secret)
    credentials = Credentials(
        actions.required(environ, "STACK_NAME"), actions.required(environ, "AWS_REGION")
    )
    try:
        done = credentials.follow(from_secrets(keys, providers))
    except CredentialsFailed as failure:
        raise OperationFailed(
            "The credentials can't be written",
            "The deploy role needs ssm:PutParameter, GetParametersByPath, GetParameterHistory and DeleteParameter below"
            f" {credentials.path}: `pennyworth bootstrap` brings it what policies/deployment.json has.",
            str(failure),
        ) from failure
    rows = [(f"`{name}`", _TOLD[outcome]) for name, outcome in sorted(done.items())]
    return f"Below `{credentials.path}`:\n\n{actions.table(('', ''), rows)}"
