"""The release's commit, made by GitHub itself: it signs what is committed through its API, and the job keeps no
credential that could push.

https://docs.github.com/rest/git
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pennyworth.github.rest import GitHub

_FILE = "100644"  # git's mode of a plain file


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit."""

    sha: str
    seconds: int
    """When it was made, since 1970."""


def head(github: GitHub, branch: str) -> str:
    """The commit that a branch is at.

    Raises:
        GitHubFailed: there is no such branch.
    """
    return str(github.call("GET", f"/git/ref/heads/{branch}")["object"]["sha"])


def look_up(github: GitHub, sha: str) -> Commit:
    """A commit that there is."""
    return _commit(github.call("GET", f"/git/commits/{sha}"))


def create(github: GitHub, parent: str, files: Mapping[str, str], message: str) -> Commit:
    """A commit that changes some files. It is on no branch yet, so that nobody sees it.

    Args:
        github: the repository.
        parent: the commit that it follows.
        files: the text of each, by path.
        message: the commit's.
    Raises:
        GitHubFailed: GitHub refused.
    """
    base = github.call("GET", f"/git/commits/{parent}")["tree"]["sha"]
    entries = []
    for path, text in files.items():
        blob = github.call("POST", "/git/blobs", {"content": text, "encoding": "utf-8"})
        entries.append({"path": path, "mode": _FILE, "type": "blob", "sha": blob["sha"]})
    tree = github.call("POST", "/git/trees", {"base_tree": base, "tree": entries})["sha"]
    body = {"message": message, "tree": tree, "parents": [parent]}
    return _commit(github.call("POST", "/git/commits", body))


def move(github: GitHub, branch: str, sha: str) -> None:
    """Put a branch forward to a commit that follows it.

    Raises:
        GitHubFailed: the branch has moved meanwhile, or its rules forbid it.
    """
    github.call("PATCH", f"/git/refs/heads/{branch}", {"sha": sha, "force": False})


def _commit(told: Any) -> Commit:
    made = datetime.fromisoformat(str(told["committer"]["date"]))
    return Commit(str(told["sha"]), int(made.timestamp()))
