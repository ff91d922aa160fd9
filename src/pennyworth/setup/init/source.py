"""Where the workflows lie that another repository is to call: this project's own git remote and commit."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pennyworth.host.places import ROOT

_GITHUB = re.compile(r"[:/](?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?$")
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class SourceUnknown(ValueError):
    """It can't be told; the message says how to tell it."""


@dataclass(frozen=True, slots=True)
class WorkflowSource:
    """A repository with this project's workflows, at one commit."""

    repository: str
    """OWNER/NAME."""
    ref: str
    """A commit, or what the caller named."""
    published: bool
    """Whether the remote is known to have it."""

    def workflow(self, name: str) -> str:
        """What a job says in `uses:` to call the workflow of that name."""
        return f"{self.repository}/.github/workflows/{name}.yml@{self.ref}"


def find_source(repository: str = "", ref: str = "", checkout: Path = ROOT) -> WorkflowSource:
    """The workflow to call.

    Args:
        repository: OWNER/NAME; by default the checkout's git remote.
        ref: a commit, tag or branch; by default the checkout's commit.
        checkout: this project.
    Raises:
        SourceUnknown: there is no remote, or no commit.
    """
    if repository and not _NAME.fullmatch(repository):
        raise SourceUnknown(f"--from takes OWNER/NAME, not {repository}")
    if not repository:
        remote = _GITHUB.search(git(checkout, "remote", "get-url", "origin"))
        if not remote:
            raise SourceUnknown(
                "It can't be told which repository holds the deployment workflow: this checkout has no git remote."
                " Name it: --from OWNER/NAME"
            )
        repository = remote["name"]
    if ref:
        return WorkflowSource(repository, ref, True)
    commit = git(checkout, "rev-parse", "HEAD")
    if not commit:
        raise SourceUnknown(
            "It can't be told which commit of the deployment workflow to call. Name it: --ref COMMIT"
        )
    return WorkflowSource(
        repository, commit, bool(git(checkout, "branch", "--remotes", "--contains", commit))
    )


def git(folder: Path, *words: str) -> str:
    """What git says in a folder; empty where it fails."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip() if done.returncode == 0 else ""
