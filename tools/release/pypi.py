"""Publish a release's files on PyPI by trusted publishing.

https://docs.github.com/actions/deployment/security-hardening-your-deployments/configuring-openid-connect-in-pypi
"""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pennyworth.github import actions
from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.host.environments import EnvironmentUnavailable, call, uv
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from tools.release.version import Version

TITLE = "PyPI"


def run(environ: Mapping[str, str]) -> str:
    """Publish what a release on GitHub hands out, byte for byte.

    Args:
        environ: VERSION, its version; DIGESTS, the files that were built, as NAME=SHA-256 words; and what GitHub's API
            needs. uv exchanges the job's OIDC token for one of PyPI's.
    Raises:
        OperationFailed: it could not be published.
    """
    version = Version.of(actions.required(environ, "VERSION"))
    digests = dict(word.split("=") for word in actions.required(environ, "DIGESTS").split())
    github = GitHub.from_environ(environ)
    with tempfile.TemporaryDirectory(dir=made("tmp")) as folder:
        try:
            files = [
                _download(github, asset, digests[asset["name"]], Path(folder))
                for asset in github.call("GET", f"/releases/tags/{version.tag}")["assets"]
                if asset["name"] in digests
            ]
            call(
                [uv(), "publish", "--no-config", "--quiet", "--trusted-publishing", "always", *files],
                f"PyPI did not take {', '.join(file.name for file in files)}:",
            )
        except GitHubFailed as failed:
            raise OperationFailed(f"The files of {version} can't be read", str(failed)) from failed
        except EnvironmentUnavailable as failed:
            raise OperationFailed(
                f"{version} is not on PyPI",
                "The release on GitHub is out. Compare PyPI's publisher with release.md, then re-run this job.",
                str(failed),
            ) from failed
    rows = [(f"`{name}`", f"`{digest}`") for name, digest in digests.items()]
    return f"{version} is on PyPI.\n\n{actions.table(('file', 'digest'), rows)}"


def _download(github: GitHub, asset: Mapping[str, str], digest: str, folder: Path) -> Path:
    """Download a file of a release, which must be the one that this run built."""
    path = folder / asset["name"]
    path.write_bytes(github.download(asset["url"]))
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise OperationFailed(
            f"{path.name} is not the file that this run built",
            "Somebody replaced it in the release. Nothing is published.",
        )
    return path
