"""Finds the workflow file that deploys, as GitHub's tokens name it in `job_workflow_ref`.

A job's claim names the called workflow's file if its workflow calls one, else the workflow's own file:
https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-with-reusable-workflows.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from pennyworth.github.remote import read_remote
from pennyworth.host.git import ask_git

FILE = ".github/workflows/deploy.yml"

_CALL = re.compile(
    r"""^\s*uses:\s*['"]?(?P<file>[\w.-]+/[\w.-]+/\.github/workflows/deploy\.ya?ml)@(?P<ref>[^\s'"#]+)""",
    re.MULTILINE,
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_RELEASE = re.compile(r"v\d[\w.-]*")


def find_deploying_workflows(repository: str, branches: Sequence[str], folder: Path) -> list[str]:
    """Find the `job_workflow_ref` claims of the jobs that deploy, in a checkout of the repository.

    Args:
        repository: OWNER/NAME.
        branches: the branches that deploy.
        folder: a folder in the checkout.
    Returns:
        the called deploy.yml, at what its callers pin; else the repository's own one, on these branches. Empty if the
        folder is no checkout of this repository, or nothing in it deploys.
    """
    root = ask_git(folder, "rev-parse", "--show-toplevel")
    remote = read_remote(ask_git(folder, "remote", "get-url", "origin"))
    if not root or remote.lower() != repository.lower():
        return []
    files = sorted(Path(root, ".github/workflows").glob("*.y*ml"))
    called = [
        f"{call['file']}@{expand_ref(call['ref'])}"
        for file in files
        for call in _CALL.finditer(file.read_text(errors="replace"))
    ]
    if not called and Path(root, FILE).is_file():
        called = [f"{repository}/{FILE}@refs/heads/{branch}" for branch in branches]
    return list(dict.fromkeys(called))


def expand_ref(ref: str) -> str:
    """Return what a `uses:` pins as GitHub's tokens name it: the commit, or the full name of a tag or a branch.

    A tag is told from a branch by its name: `v` and a digit.
    """
    if _COMMIT.fullmatch(ref) or ref.startswith("refs/"):
        return ref
    return f"refs/tags/{ref}" if _RELEASE.fullmatch(ref) else f"refs/heads/{ref}"
