"""Finds the repository and commit of the workflows to call: this checkout's git remote and commit."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pennyworth.host.places import ROOT

_REMOTE = re.compile(
    r"(?:\w+://(?:[^/@]+@)?[\w.-]+(?::\d+)?/|(?:[\w.-]+@)?[\w.-]+:/?)"  # or, for ssh, [USER@]HOST:
    r"(?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?"
)
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class SourceUnknown(ValueError):
    """The repository or the commit is not known. The message says which option sets it."""


@dataclass(frozen=True, slots=True)
class WorkflowSource:
    """A repository with this project's workflows, at a commit."""

    repository: str
    """OWNER/NAME."""
    ref: str
    """A commit, tag or branch."""
    published: bool
    """Whether a remote branch contains it, as far as this checkout knows."""

    def workflow(self, name: str) -> str:
        """Return the `uses:` value that calls the workflow of this name."""
        return f"{self.repository}/.github/workflows/{name}.yml@{self.ref}"


def find_source(repository: str = "", ref: str = "", checkout: Path = ROOT) -> WorkflowSource:
    """Find the workflows to call.

    Args:
        repository: OWNER/NAME. Empty: the checkout's git remote.
        ref: a commit, tag or branch. Empty: the checkout's commit.
        checkout: the folder of this project.
    Raises:
        SourceUnknown: the checkout has no git remote on another machine or no commit, or `repository` is not
            OWNER/NAME.
    """
    if repository and not _NAME.fullmatch(repository):
        raise SourceUnknown(f"--from takes OWNER/NAME, not {repository}")
    if not repository:
        remote = git(checkout, "remote", "get-url", "origin")
        repository = read_remote(remote)
        if not repository:
            why = (
                "this checkout has no git remote"
                if not remote
                else "the git remote of this checkout is a folder, where GitHub can't find it"
                if "://" not in remote or remote.startswith("file:")
                else "the git remote of this checkout is not OWNER/NAME at a host"
            )
            raise SourceUnknown(
                f"The repository of the deployment workflow is not known: {why}. Use --from OWNER/NAME."
            )
    if ref:
        return WorkflowSource(repository, ref, True)
    commit = git(checkout, "rev-parse", "HEAD")
    if not commit:
        raise SourceUnknown(
            "The commit of the deployment workflow is not known: this is not a git checkout. Use --ref COMMIT."
        )
    return WorkflowSource(
        repository, commit, bool(git(checkout, "branch", "--remotes", "--contains", commit))
    )


def read_remote(remote: str) -> str:
    """Return OWNER/NAME of a git remote's address; empty if it has none, such as a folder."""
    found = _REMOTE.fullmatch(remote)
    return found["name"] if found else ""


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return its output; empty if it fails."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip() if done.returncode == 0 else ""
