"""Publish a release that is prepared and attested."""

from collections.abc import Mapping
from pathlib import Path

from pennyworth.github import actions
from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.host.errors import OperationFailed
from tools.release.publish import publish
from tools.release.version import Version

TITLE = "Release"

_IMMUTABILITY = "https://docs.github.com/code-security/how-tos/secure-your-supply-chain/establish-provenance-and-integrity/prevent-release-changes"

_PREFACE = """\
```yaml
uses: {repository}/.github/workflows/deploy.yml@{tag} # or a commit: {sha}
```

The files were built by [this run]({run}), which GitHub [attests]({attestation}):
`gh attestation verify FILE --repo {repository}`.
"""


def run(environ: Mapping[str, str]) -> str:
    """Publish a release.

    Args:
        environ: VERSION, its version; COMMIT, what is released; BRANCH, the branch that is put forward to it; DIST,
            the folder with its files; ATTESTATION, the attestation's page; RUN_URL, this run's; and what GitHub's API
            needs. Output: url.
    Raises:
        OperationFailed: it could not be published, and nothing is left of it.
    """
    version, sha = Version.of(actions.required(environ, "VERSION")), actions.required(environ, "COMMIT")
    github = GitHub.from_environ(environ)
    preface = _PREFACE.format(
        repository=github.repository,
        tag=version.tag,
        sha=sha,
        run=environ.get("RUN_URL", ""),
        attestation=environ.get("ATTESTATION", ""),
    )
    files = sorted(
        path for path in Path(actions.required(environ, "DIST")).iterdir() if not path.name.startswith(".")
    )
    try:
        released = publish(github, version, sha, actions.required(environ, "BRANCH"), files, preface)
    except GitHubFailed as failed:
        raise OperationFailed(
            f"{version} is not released",
            f"{failed}. Neither a draft nor a tag is left of it. Once that is fixed, run this again for {version}.",
        ) from failed
    actions.output("url", released["html_url"])
    if not released.get("immutable"):
        actions.warning(
            "The release can be changed",
            "Switch release immutability on under Settings → General → Releases: from then on nobody can move a "
            f"release's tag or exchange its files. See {_IMMUTABILITY}",
        )
    rows = [(f"`{asset['name']}`", f"`{asset['digest']}`") for asset in _assets(github, released)]
    lock = "It can't be changed any more." if released.get("immutable") else "**It can still be changed.**"
    return f"[{version}]({released['html_url']}) is out. {lock}\n\n{actions.table(('file', 'digest'), rows)}"


def _assets(github: GitHub, released: Mapping[str, object]) -> list[dict[str, str]]:
    return list(github.pages(f"/releases/{released['id']}/assets"))
