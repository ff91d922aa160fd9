"""Check the settings, before anything else: the required ones, the choices, and the stack's parameters."""

from pennyworth.github import actions
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
    inputs = Inputs.of(environ)
    for secret in inputs.secrets():
        actions.mask(secret)
    check_settings(inputs)
    return ""
