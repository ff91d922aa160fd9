"""Show what a deployment would do, in the job's summary and in a comment on the pull request. AWS stays as it is."""

from collections.abc import Mapping
from pathlib import Path

from pennyworth.github import actions
from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.preview import as_markdown, comment, headline, preview

TITLE = "Preview"

_NAME = "pennyworth-preview"


def run(environ: dict[str, str]) -> str:
    """Compare the built template with the deployed stack. Sets the step's outputs `changes` and `headline`.

    Args:
        environ: TEMPLATE, the built template's path; STACK_NAME; AWS_REGION; PARAMETER_*, as the deployment gets them;
            and if wanted PULL_REQUEST, the number of the one to comment on, with GITHUB_TOKEN, GITHUB_REPOSITORY and
            GITHUB_API_URL; ENVIRONMENT, the GitHub environment, whose preview has a comment of its own; COMMIT, which
            is shown.
    Returns:
        what would change.
    Raises:
        OperationFailed: it can't be said. The comment says so, too.
    """
    template = Path(actions.required(environ, "TEMPLATE"))
    stack, region = actions.required(environ, "STACK_NAME"), actions.required(environ, "AWS_REGION")
    if not template.is_file():
        raise OperationFailed("There is no template", f"{template} is no file. Build first.")
    number = environ.get("PULL_REQUEST", "")
    name = f"{_NAME}-{number or 'by-hand'}"
    try:
        found = preview(stack, region, template, environ, name)
    except OperationFailed as failure:
        detail = f"\n\n```text\n{failure.detail}\n```" if failure.detail else ""
        _comment(environ, f"❌ **{failure.title}.** {failure.message}{detail}")
        raise
    actions.output("changes", "false" if found.nothing else "true")
    actions.output("headline", headline(found))
    report = as_markdown(found)
    _comment(environ, report)
    return report


def _comment(environ: Mapping[str, str], report: str) -> None:
    """Write the comment, where there is a pull request. That GitHub refuses it is told, and no more."""
    if not (number := environ.get("PULL_REQUEST", "")):
        return
    if not number.isdigit():
        raise OperationFailed("PULL_REQUEST is no number", "Give the number of a pull request, or nothing.")
    place = environ.get("ENVIRONMENT", "") or "the stack"
    of = f" of `{environ['ENVIRONMENT']}`" if environ.get("ENVIRONMENT") else ""
    commit = f" at {environ['COMMIT'][:7]}" if environ.get("COMMIT") else ""
    foot = f"<sub>What a deployment{of}{commit} would do, compared with what is deployed. Nothing was changed.</sub>"
    try:
        comment.put(
            GitHub.from_environ(environ), int(number), place, f"### Preview{of}\n\n{report}\n\n{foot}"
        )
    except GitHubFailed as failure:
        actions.warning(
            "The preview is in the run's summary only",
            f"{failure} The job needs pull-requests: write to comment.",
        )
