"""Delete the function's old versions, which Lambda would keep for ever and which count against its storage."""

from pennyworth.pipeline.deploy.prune import Inputs, prune_versions

TITLE = "Old versions"


def run(environ: dict[str, str]) -> str:
    """Delete all but the newest.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what was deleted; nothing where nothing was.
    Raises:
        OperationFailed: it may not be done.
    """
    inputs = Inputs.of(environ)
    gone = prune_versions(inputs)
    return f"Deleted: {', '.join(gone)}. The newest {inputs.keep} stay to go back to." if gone else ""
