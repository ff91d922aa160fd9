"""Check that the settings are there without which nothing can be done, and that the choices are ones that there are."""

from pennyworth.pipeline.deploy.required_settings import Inputs, check_settings

TITLE = "Settings"


def run(environ: dict[str, str]) -> str:
    """Look at all of them.

    Args:
        environ: see `Inputs.of`.
    Returns:
        nothing: there is nothing to say of settings that are right.
    Raises:
        OperationFailed: with every one that is missing or wrong.
    """
    check_settings(Inputs.of(environ))
    return ""
