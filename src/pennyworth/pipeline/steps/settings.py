"""Check the settings, before anything else: the required ones, the choices, and the stack's parameters."""

from pennyworth.pipeline.deploy.required_settings import Inputs, check_settings

TITLE = "Settings"


def run(environ: dict[str, str]) -> str:
    """Check all of them.

    Args:
        environ: see `Inputs.of`.
    Returns:
        an empty report.
    Raises:
        OperationFailed: with every one that is missing or wrong.
    """
    check_settings(Inputs.of(environ))
    return ""
