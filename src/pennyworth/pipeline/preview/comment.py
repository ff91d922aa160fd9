"""Write a preview as a comment on its pull request. Later previews update the comment."""

from collections.abc import Mapping
from dataclasses import dataclass

from pennyworth.github.rest import GitHub
from pennyworth.host.errors import OperationFailed

_MOST_CHARACTERS = 60_000
"""GitHub's limit is 65,536."""
_CUT = "\n\n… The rest is too long for a comment. See the run's summary."


@dataclass(frozen=True, slots=True)
class CommentInputs:
    """The pull request to comment on, and what the preview is of."""

    github: GitHub
    pull_request: int
    environment: str = ""
    """The GitHub environment. Each environment has its own comment."""
    commit: str = ""
    """The commit of the preview."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "CommentInputs | None":
        """Read a step's inputs.

        Args:
            environ: PULL_REQUEST, GITHUB_TOKEN and GitHub's default variables; optionally ENVIRONMENT and COMMIT.
        Returns:
            the inputs; None without a pull request.
        Raises:
            OperationFailed: an input is missing or invalid.
        """
        number = environ.get("PULL_REQUEST", "")
        if not number:
            return None
        if not number.isdigit():
            raise OperationFailed(
                "PULL_REQUEST is not a number", "Set it to the number of a pull request, or leave it empty."
            )
        return cls(
            GitHub.from_environ(environ),
            int(number),
            environ.get("ENVIRONMENT", ""),
            environ.get("COMMIT", ""),
        )


def put_comment(inputs: CommentInputs, report: str) -> None:
    """Write a report as the preview's comment.

    Args:
        inputs: the pull request and what the preview is of.
        report: Markdown, with secrets masked.
    Raises:
        GitHubFailed: GitHub rejects it.
    """
    of = f" of `{inputs.environment}`" if inputs.environment else ""
    commit = f" at {inputs.commit[:7]}" if inputs.commit else ""
    foot = f"<sub>What a deployment{of}{commit} would change. Nothing was deployed.</sub>"
    place = inputs.environment or "the stack"
    write_comment(inputs.github, inputs.pull_request, place, f"### Preview{of}\n\n{report}\n\n{foot}")


def write_comment(github: GitHub, pull_request: int, place: str, body: str) -> None:
    """Create or update a preview's comment.

    Args:
        github: the repository.
        pull_request: the number of the pull request.
        place: what the preview is of. Each place has its own comment.
        body: Markdown, with secrets masked. GitHub does not mask secrets in comments.
    Raises:
        GitHubFailed: GitHub rejects it.
    """
    mark = f"<!-- pennyworth: the preview of {place} -->"
    text = f"{mark}\n{truncate(body)}"
    for comment in github.pages(f"/issues/{pull_request}/comments"):
        # anyone can write the mark, so the comment must also be a bot's
        if comment["body"].startswith(mark) and (comment.get("user") or {}).get("type") == "Bot":
            if comment["body"] != text:
                github.call("PATCH", f"/issues/comments/{comment['id']}", {"body": text})
            return
    github.call("POST", f"/issues/{pull_request}/comments", {"body": text})


def truncate(body: str) -> str:
    """Truncate a body to whole lines if it exceeds GitHub's limit."""
    if len(body) <= _MOST_CHARACTERS:
        return body
    kept = body[:_MOST_CHARACTERS].rpartition("\n")[0]
    # close open <details>, which would hide what follows
    return kept + "\n\n</details>" * (kept.count("<details>") - kept.count("</details>")) + _CUT
