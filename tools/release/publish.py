"""Publish a release so that it is all there or not at all.

A draft is filled while nobody sees it, the branch is put forward, and only then is the release published: with release
immutability, from that moment on neither its files nor its tag can be changed by anybody.
https://docs.github.com/code-security/concepts/supply-chain-security/immutable-releases
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pennyworth.github.rest import GitHub, GitHubFailed
from tools.release import commit
from tools.release.version import Version

_MEDIA_TYPES = {".gz": "application/gzip", ".whl": "application/zip"}


def publish(
    github: GitHub, version: Version, sha: str, branch: str, files: Iterable[Path], preface: str
) -> dict[str, Any]:
    """Publish it.

    Args:
        github: the repository.
        version: what is released.
        sha: the commit that is, which is the branch's or follows it.
        branch: the branch that is put forward to that commit.
        files: what is handed out with it.
        preface: what stands before GitHub's own notes.
    Returns:
        GitHub's description of the release.
    Raises:
        GitHubFailed: GitHub refused, and there is neither a draft nor a tag left of it.
    """
    _remove_drafts(github, version)
    try:
        said = {"tag_name": version.tag, "target_commitish": sha}
        notes = github.call("POST", "/releases/generate-notes", said)["body"]
        draft = github.call(
            "POST",
            "/releases",
            {**said, "name": str(version), "body": f"{preface.rstrip()}\n\n{notes}", "draft": True},
        )
        for file in files:
            media_type = _MEDIA_TYPES.get(file.suffix, "text/plain")
            github.upload(draft["upload_url"], file.name, file.read_bytes(), media_type)
        commit.move(github, branch, sha)
        released: dict[str, Any] = github.call("PATCH", f"/releases/{draft['id']}", {"draft": False})
        return released
    except GitHubFailed:
        _remove_drafts(github, version)
        with suppress(GitHubFailed):  # there should be none
            github.call("DELETE", f"/git/refs/tags/{version.tag}")
        raise


def _remove_drafts(github: GitHub, version: Version) -> None:
    """Remove what a run that was broken off has left, or this one."""
    for release in list(github.pages("/releases")):
        if release["draft"] and release["tag_name"] == version.tag:
            github.call("DELETE", f"/releases/{release['id']}")
