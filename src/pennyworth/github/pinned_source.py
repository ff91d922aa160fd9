"""Finds out whether a run uses this project at a pinned commit of another repository.

What such a commit contains never changes, so a check of it comes out as it did in that repository's own tests.
"""

import re
from collections.abc import Mapping
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ACTIONS = "_actions"
"""The runner's folder of downloaded actions, each in OWNER/NAME/REF."""


def find_pinned_source(root: Path, environ: Mapping[str, str]) -> str:
    """Return the pinned repository and commit as OWNER/NAME@COMMIT.

    Args:
        root: this project's files. The runner downloads each action to a folder with its repository and ref.
        environ: GITHUB_REPOSITORY, the repository whose run this is.
    Returns:
        the source; empty for the run's own repository, for a branch or a tag, and outside GitHub Actions.
    """
    *before, owner, name, ref = ("", "", "", *root.parts)
    repository = f"{owner}/{name}"
    own = environ.get("GITHUB_REPOSITORY", "").lower()
    if before[-1] != _ACTIONS or not own or own == repository.lower() or not _COMMIT.fullmatch(ref):
        return ""
    return f"{repository}@{ref}"
