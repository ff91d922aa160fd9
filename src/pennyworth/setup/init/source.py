"""Finds the repository and commit of the workflows to call: those that this program came from."""

import re
from dataclasses import dataclass
from pathlib import Path

from pennyworth import __version__
from pennyworth.github.remote import read_remote
from pennyworth.host.git import ask_git
from pennyworth.host.installation import Origin

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
    """Whether a remote branch contains it, as far as is known here."""

    def workflow(self, name: str) -> str:
        """Return the `uses:` value that calls the workflow of this name."""
        return f"{self.repository}/.github/workflows/{name}.yml@{self.ref}"


def find_source(
    repository: str = "", ref: str = "", checkout: Path | None = None, origin: Origin | None = None
) -> WorkflowSource:
    """Find the workflows to call.

    Args:
        repository: OWNER/NAME. Empty: that of the checkout's git remote or of the origin.
        ref: a commit, tag or branch. Empty: the commit of the checkout or of the origin; the release's tag, if
            there is neither.
        checkout: the folder of this project, if it is a checkout.
        origin: what the package was installed from, if it is known.
    Raises:
        SourceUnknown: repository or commit are not known, or `repository` is not OWNER/NAME.
    """
    if repository and not _NAME.fullmatch(repository):
        raise SourceUnknown(f"--from takes OWNER/NAME, not {repository}")
    if not checkout:
        return _find_installed(repository, ref, origin)
    repository = repository or _read_repository(
        ask_git(checkout, "remote", "get-url", "origin"), "this checkout"
    )
    if ref:
        return WorkflowSource(repository, ref, True)
    commit = ask_git(checkout, "rev-parse", "HEAD")
    if not commit:
        raise SourceUnknown(
            "The commit of the deployment workflow is not known: this is not a git checkout. Use --ref COMMIT."
        )
    return WorkflowSource(
        repository, commit, bool(ask_git(checkout, "branch", "--remotes", "--contains", commit))
    )


def _find_installed(repository: str, ref: str, origin: Origin | None) -> WorkflowSource:
    """Find the workflows of an installed package. What a package index has is a release, with a tag."""
    if not repository and not origin:
        raise SourceUnknown(
            "The repository of the deployment workflow is not known: this package came from a package index."
            " Use --from OWNER/NAME."
        )
    if origin and not origin.repository and not (repository and ref):
        raise SourceUnknown(
            "The commit of the deployment workflow is not known: this package was installed from"
            f" {origin.requirement}, not from a git repository. Use --from OWNER/NAME and --ref COMMIT."
        )
    if origin and not repository:
        repository = _read_repository(origin.repository, "this package")
    return WorkflowSource(repository, ref or (origin.commit if origin else f"v{__version__}"), True)


def _read_repository(remote: str, whose: str) -> str:
    """Return OWNER/NAME of a git remote.

    Raises:
        SourceUnknown: it has none. The message names whose remote it is.
    """
    if repository := read_remote(remote):
        return repository
    why = (
        f"{whose} has no git remote"
        if not remote
        else f"the git remote of {whose} is a folder, where GitHub can't find it"
        if "://" not in remote or remote.startswith("file:")
        else f"the git remote of {whose} is not OWNER/NAME at a host"
    )
    raise SourceUnknown(
        f"The repository of the deployment workflow is not known: {why}. Use --from OWNER/NAME."
    )
