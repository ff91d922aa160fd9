"""Write the repository's secrets into the Parameter Store, where the function looks for its credentials."""

from pennyworth.pipeline import workflow
from pennyworth.pipeline.credentials import API_KEYS, Credentials, CredentialsFailed, from_secrets
from pennyworth.pipeline.steps.deploy import PARAMETER, secret_values

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
        StepFailed: they can't be written.
    """
    keys = workflow.required(environ, API_KEYS)
    providers = environ.get("PROVIDER_CREDENTIALS", "")
    for parameter, text in (("ApiKeys", keys), ("ProviderCredentials", providers)):
        for secret in secret_values(PARAMETER + parameter, text):
            workflow.mask(secret)
    credentials = Credentials(
        workflow.required(environ, "STACK_NAME"), workflow.required(environ, "AWS_REGION")
    )
    try:
        done = credentials.follow(from_secrets(keys, providers))
    except CredentialsFailed as failure:
        raise workflow.StepFailed(
            "The credentials can't be written",
            "The deploy role needs ssm:PutParameter, GetParametersByPath, GetParameterHistory and DeleteParameter below"
            f" {credentials.path}: `pennyworth bootstrap` brings it what policies/deployment.json has.",
            str(failure),
        ) from failure
    rows = [(f"`{name}`", _TOLD[outcome]) for name, outcome in sorted(done.items())]
    return f"Below `{credentials.path}`:\n\n{workflow.table(('', ''), rows)}"
