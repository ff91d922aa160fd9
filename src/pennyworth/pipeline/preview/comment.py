"""The preview's one comment on a pull request, written anew with each of its commits."""

from pennyworth.github.rest import GitHub

_MOST_CHARACTERS = 60_000
"""GitHub takes 65,536."""
_CUT = "\n\n… and more, which does not fit into a comment: see the run's summary."


def put(github: GitHub, pull_request: int, place: str, body: str) -> None:
    """Write the comment, the first time as a new one, then in its place.

    Args:
        github: the repository.
        pull_request: its number.
        place: what the preview is of: each place has a comment of its own.
        body: Markdown. Whatever is secret has been masked: in comments GitHub masks nothing.
    """
    mark = f"<!-- pennyworth: the preview of {place} -->"
    text = f"{mark}\n{cut(body)}"
    for comment in github.pages(f"/issues/{pull_request}/comments"):
        # anybody can write the mark; a program's comment is ours
        if comment["body"].startswith(mark) and (comment.get("user") or {}).get("type") == "Bot":
            if comment["body"] != text:
                github.call("PATCH", f"/issues/comments/{comment['id']}", {"body": text})
            return
    github.call("POST", f"/issues/{pull_request}/comments", {"body": text})


def cut(body: str) -> str:
    """A body that GitHub takes: of one that is too long as many whole lines as fit."""
    if len(body) <= _MOST_CHARACTERS:
        return body
    kept = body[:_MOST_CHARACTERS].rpartition("\n")[0]
    # an open box would swallow what follows
    return kept + "\n\n</details>" * (kept.count("<details>") - kept.count("</details>")) + _CUT
