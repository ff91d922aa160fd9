"""The preview's one comment on a pull request, written anew with each of its commits."""

from collections.abc import Mapping
from dataclasses import dataclass

from pennyworth.github.rest import GitHub
from pennyworth.host.errors import OperationFailed

_MOST_CHARACTERS = 60_000
"""GitHub takes 65,536."""
_CUT = "\n\n… and more, which does not fit into a comment: see the run's summary."


@dataclass(frozen=True, slots=True)
class CommentInputs:
    """The pull request that is commented on, and what of."""

    github: GitHub
    pull_request: int
    environment: str = ""
    """The GitHub environment, whose preview has a comment of its own."""
    commit: str = ""
    """Which is shown."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "CommentInputs | None":
        """As a step is told them: PULL_REQUEST, GITHUB_TOKEN and what else GitHub sets; and, if wanted, ENVIRONMENT and
        COMMIT. None without a pull request.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        number = environ.get("PULL_REQUEST", "")
        if not number:
            return None
        if not number.isdigit():
            raise OperationFailed(
                "PULL_REQUEST is no number", "Give the number of a pull request, or nothing."
            )
        return cls(
            GitHub.from_environ(environ),
            int(number),
            environ.get("ENVIRONMENT", ""),
            environ.get("COMMIT", ""),
        )


def put_comment(inputs: CommentInputs, report: str) -> None:
    """Write a report as the comment.

    Raises:
        GitHubFailed: GitHub refuses it.
    """
    of = f" of `{inputs.environment}`" if inputs.environment else ""
    commit = f" at {inputs.commit[:7]}" if inputs.commit else ""
    foot = f"<sub>What a deployment{of}{commit} would do, compared with what is deployed. Nothing was changed.</sub>"
    place = inputs.environment or "the stack"
    write_comment(inputs.github, inputs.pull_request, place, f"### Preview{of}\n\n{report}\n\n{foot}")


def write_comment(github: GitHub, pull_request: int, place: str, body: str) -> None:
    """Write the comment, the first time as a new one, then in its place.

    Args:
        github: the repository.
        pull_request: its number.
        place: what the preview is of: each place has a comment of its own.
        body: Markdown. Whatever is secret has been masked: in comments GitHub masks nothing.
    """
    mark = f"<!-- pennyworth: the preview of {place} -->"
    text = f"{mark}\n{truncate(body)}"
    for comment in github.pages(f"/issues/{pull_request}/comments"):
        # anybody can write the mark; a program's comment is ours
        if comment["body"].startswith(mark) and (comment.get("user") or {}).get("type") == "Bot":
            if comment["body"] != text:
                github.call("PATCH", f"/issues/comments/{comment['id']}", {"body": text})
            return
    github.call("POST", f"/issues/{pull_request}/comments", {"body": text})


def truncate(body: str) -> str:
    """A body that GitHub takes: of one that is too long as many whole lines as fit."""
    if len(body) <= _MOST_CHARACTERS:
        return body
    kept = body[:_MOST_CHARACTERS].rpartition("\n")[0]
    # an open box would swallow what follows
    return kept + "\n\n</details>" * (kept.count("<details>") - kept.count("</details>")) + _CUT
