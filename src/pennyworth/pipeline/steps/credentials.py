"""Write the repository's secrets into the Parameter Store, where the function looks for its credentials."""

from pennyworth.github import actions
from pennyworth.pipeline.deploy.credentials import Inputs, write_credentials, written_as_markdown

TITLE = "Credentials"


def run(environ: dict[str, str]) -> str:
    """Write what has changed.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what was done, by name.
    Raises:
        OperationFailed: they can't be written.
    """
    inputs = Inputs.of(environ)
    for secret in inputs.secrets():
        actions.mask(secret)
    return written_as_markdown(write_credentials(inputs))
