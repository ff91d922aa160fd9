"""Write the repository's secrets into the Parameter Store, where the function looks for its credentials."""

from pennyworth.github import actions
from pennyworth.pipeline.deploy.credentials import Inputs, write_credentials, written_as_markdown

TITLE = "Credentials"


def run(environ: dict[str, str]) -> str:
    """Write what has changed, and remove what is gone. Sets the step's output `written`.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what was done, by name; empty where there was nothing to do.
    Raises:
        OperationFailed: they can't be written.
    """
    inputs = Inputs.of(environ)
    for secret in inputs.secrets():
        actions.mask(secret)
    done = write_credentials(inputs)
    actions.output("written", ", ".join(sorted(n for n, what in done.outcomes.items() if what == "written")))
    return written_as_markdown(done)
