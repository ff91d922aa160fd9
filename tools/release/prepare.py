"""Check a version, commit it where nobody sees it yet, and build what is handed out of it."""

from collections.abc import Mapping
from pathlib import Path

from pennyworth.github import actions
from pennyworth.github.rest import GitHub, GitHubFailed
from pennyworth.host.environments import EnvironmentUnavailable
from pennyworth.host.errors import OperationFailed
from tools.release import commit
from tools.release.distributions import CHECKSUMS, build
from tools.release.version import Version, WrongVersion, latest, restated, statements

TITLE = "Release prepared"


def run(environ: Mapping[str, str]) -> str:
    """Prepare a release of the checkout in the working folder.

    Args:
        environ: VERSION, the version; BRANCH, the branch that is released; DIST, the folder for the archives; DRY_RUN,
            whether nothing shall be committed (true); GITHUB_REF and GITHUB_SHA, what runs; and what GitHub's API
            needs. Outputs: commit, digests and tag.
    Raises:
        OperationFailed: it can't be released; nothing was changed.
    """
    branch, sha = actions.required(environ, "BRANCH"), actions.required(environ, "GITHUB_SHA")
    if environ.get("GITHUB_REF") != f"refs/heads/{branch}":
        raise OperationFailed(
            f"Releases are made of {branch}", f"Run the workflow on the branch {branch}, not on another one."
        )
    github = GitHub.from_environ(environ)
    root = Path.cwd()
    try:
        version = Version.of(environ.get("VERSION", "").strip())
        if (main := commit.head(github, branch)) != sha:
            raise OperationFailed(
                f"{branch} has moved on", f"It is at {main[:7]} now, this run is of {sha[:7]}. Run it again."
            )
        _see_that_it_is_newer(github, version, root)
        changed = restated(root, version)
        for name, text in changed.items():
            (root / name).write_text(text, encoding="utf-8")
        if changed and environ.get("DRY_RUN") != "true":
            made = commit.create(github, sha, changed, f"Release {version}")
        else:
            made = commit.look_up(github, sha)
        files = build(root, Path(actions.required(environ, "DIST")), made.seconds)
    except WrongVersion as wrong:
        raise OperationFailed("It can't be released as that", str(wrong)) from wrong
    except GitHubFailed as failed:
        raise OperationFailed("GitHub refused", str(failed)) from failed
    except EnvironmentUnavailable as failed:
        raise OperationFailed("It could not be built", "See what the build said.", str(failed)) from failed
    actions.output("commit", made.sha)
    actions.output("tag", version.tag)
    sums = next(file for file in files if file.name == CHECKSUMS).read_text().splitlines()
    actions.output("digests", " ".join("=".join(reversed(line.split())) for line in sums))
    rows = [(f"`{file.name}`", f"{file.stat().st_size / 1024:.0f} KiB") for file in files]
    stated = f"{version} is stated in " + (", ".join(f"`{name}`" for name in changed) or "all places already")
    return f"{stated}.\n\n{actions.table(('file', 'size'), rows)}"


def _see_that_it_is_newer(github: GitHub, version: Version, root: Path) -> None:
    """Raises: WrongVersion, where it is not newer than the last release and what the checkout states."""
    tags = [ref["ref"].removeprefix("refs/tags/") for ref in github.call("GET", "/git/matching-refs/tags/v")]
    tags += [release["tag_name"] for release in github.pages("/releases") if not release["draft"]]
    if version.tag in tags:
        raise WrongVersion(f"{version} is released already. Name a greater one.")
    last = latest(tags)
    if last and version <= last:
        raise WrongVersion(f"{version} is not greater than {last}, the last release.")
    stated = {Version.of(statement.version) for statement in statements(root)}
    if version < max(stated):
        raise WrongVersion(f"{version} is less than {max(stated)}, which the sources state.")
