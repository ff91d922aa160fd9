"""Show what a deployment would do, in the job's summary and in a comment on the pull request. AWS stays as it is."""

from pennyworth.github import actions
from pennyworth.github.rest import GitHubFailed
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.preview import Inputs, as_markdown, preview, render_headline
from pennyworth.pipeline.preview.comment import CommentInputs, put_comment

TITLE = "Preview"


def run(environ: dict[str, str]) -> str:
    """Compare the built template with the deployed stack. Sets the step's outputs `changes` and `headline`.

    Args:
        environ: see `Inputs.of` and `CommentInputs.of`.
    Returns:
        what would change.
    Raises:
        OperationFailed: it can't be said. The comment says so, too.
    """
    inputs, comment = Inputs.of(environ), CommentInputs.of(environ)
    try:
        found = preview(inputs)
    except OperationFailed as failure:
        detail = f"\n\n```text\n{failure.detail}\n```" if failure.detail else ""
        _comment(comment, f"❌ **{failure.title}.** {failure.message}{detail}")
        raise
    actions.output("changes", "false" if found.nothing else "true")
    actions.output("headline", render_headline(found))
    report = as_markdown(found)
    _comment(comment, report)
    return report


def _comment(comment: CommentInputs | None, report: str) -> None:
    """Write the comment, where there is a pull request. That GitHub refuses it is told, and no more."""
    if comment is None:
        return
    try:
        put_comment(comment, report)
    except GitHubFailed as failure:
        actions.warning(
            "The preview is in the run's summary only",
            f"{failure} The job needs pull-requests: write to comment.",
        )
