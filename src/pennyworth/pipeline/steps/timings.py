"""Say at a job's end how long each of its steps took."""

from pennyworth.github import actions, timings

TITLE = "How long it took"


def run(environ: dict[str, str]) -> str:
    """Draw what the steps before this one have noted.

    Args:
        environ: nothing of it is used.
    Returns:
        nothing: the table is no step of its own.
    """
    del environ
    if drawn := timings.as_markdown():
        actions.summary(f"### {TITLE}\n\n{drawn}")
    return ""
