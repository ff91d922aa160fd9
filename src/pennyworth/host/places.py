"""Where the project's files are, and the one folder that it writes to.

In a checkout, the files are where git has them. An installed package carries those that are no modules (the template,
policies, locks, actions and workflows) in a folder that is laid out like the checkout. pyproject.toml lists them.
"""

import os
import sys
from pathlib import Path

from pennyworth.host.errors import OperationFailed

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of the package `pennyworth`."""

CARRIED = PACKAGE / "repository"
"""The files that an installed package carries. A checkout has no such folder."""

ROOT = CARRIED if CARRIED.is_dir() else PACKAGE.parents[1]
"""The project's files, to read: template.yaml, policies/, requirements/, actions/, .github/workflows/."""

VARIABLE = "PENNYWORTH_WORK_DIR"


class FolderUnavailable(OperationFailed):
    """A folder can't be created. The message says what to do next."""


def is_checkout() -> bool:
    """Return whether this is a checkout (or an unpacked source archive), not an installed package."""
    return (ROOT / "pyproject.toml").is_file()


def work_dir() -> Path:
    """Return the folder for all generated files.

    PENNYWORTH_WORK_DIR sets it. The default is .pennyworth in a checkout, where git ignores it, and a folder
    among the user's caches for an installed package.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return ROOT / ".pennyworth" if is_checkout() else _find_caches() / "pennyworth"


def made(*parts: str) -> Path:
    """Return a folder in work_dir(). Creates it if necessary.

    Raises:
        FolderUnavailable: it can't be created.
    """
    folder = work_dir().joinpath(*parts)
    if not folder.is_dir():
        try:
            work_dir().mkdir(mode=0o755 if is_checkout() else 0o700, parents=True, exist_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FolderUnavailable(
                f"The folder {folder} can't be created: {(error.strerror or str(error)).lower()}",
                f"pennyworth keeps generated files there. Set {VARIABLE} to a folder that you may write to.",
            ) from error
    return folder


def shorten(path: Path) -> Path:
    """Return a path for people: relative to the working folder, if it is in there."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _find_caches() -> Path:
    """Return the user's folder for caches: https://specifications.freedesktop.org/basedir-spec on Linux."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".cache"
