"""Delete the function's old versions, which Lambda would keep for ever and which count against its storage."""

from pennyworth.aws.function_versions import deployed
from pennyworth.aws.stack import Stack
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed

TITLE = "Old versions"


def run(environ: dict[str, str]) -> str:
    """Delete all but the newest.

    Args:
        environ: STACK_NAME; AWS_REGION; KEEP_VERSIONS, how many stay, at least 1.
    Returns:
        what was deleted; nothing where nothing was.
    Raises:
        OperationFailed: it may not be done.
    """
    keep = int(actions.number(environ, "KEEP_VERSIONS", 5))
    if keep < 1:
        raise OperationFailed("KEEP_VERSIONS is 0", "It is at least 1: the version that serves.")
    now = deployed(Stack(actions.required(environ, "STACK_NAME"), actions.required(environ, "AWS_REGION")))
    gone = now.prune(keep) if now else []
    return f"Deleted: {', '.join(gone)}. The newest {keep} stay to go back to." if gone else ""
