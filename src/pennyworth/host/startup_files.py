"""Find the files that Python runs by itself at every start, before any program: the way of credential stealers.

https://docs.python.org/3/library/site.html
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

_SUFFIXES = frozenset({".pth", ".start"})  # .start: Python 3.15 and newer
_MODULES = frozenset({".py", ".pyc", ".so", ".pyd"})
_HOOKS = frozenset({"sitecustomize", "usercustomize"})
_SITE = frozenset({"site-packages", "dist-packages"})
_HARMLESS = {("distutils-precedence.pth", "setuptools")}
"""Files, and the package that brings each, that an environment of tools may hold."""


@dataclass(frozen=True, slots=True)
class StartupFile:
    """A file that Python runs by itself."""

    path: str
    """Relative to the folder that was searched."""
    package: str
    """The name and version of the package that brings it, or an empty string."""

    def __str__(self) -> str:
        return f"{self.package or 'An unknown package'} brings {self.path}"


def find_startup_files(folder: Path, *, first: bool = False) -> list[StartupFile]:
    """Find such files among installed packages.

    Args:
        folder: the folder that the packages are installed in.
        first: whether Python searches the folder before its own modules. A module that has the name of one of Python's
            own then also runs by itself.
    Returns:
        the files, sorted by path.
    """
    names = _HOOKS | (sys.stdlib_module_names if first else frozenset())
    found = []
    for place, folders, files in os.walk(folder):
        paths = [Path(place, name) for name in files]
        found += [path for path in paths if path.suffix in _SUFFIXES]
        if (
            Path(place) == folder or Path(place).name in _SITE
        ):  # whose modules are imported by their plain names
            modules = [path for path in paths if path.suffix in _MODULES]
            modules += [Path(place, name) for name in folders]
            found += [path for path in modules if path.name.partition(".")[0] in names]
    if not found:
        return []
    packages = _read_packages(folder)
    paths = sorted(path.relative_to(folder) for path in found)
    return [StartupFile(str(path), _find_owner(path, packages)) for path in paths]


def find_unexpected(folder: Path) -> list[StartupFile]:
    """Find such files in an environment of tools, except for those that are known to be harmless."""
    return [
        one
        for one in find_startup_files(folder)
        if (one.path, one.package.partition(" ")[0]) not in _HARMLESS
    ]


def explain(found: list[StartupFile], lock: str) -> str:
    """Say what was found, and what to do.

    Args:
        found: the files.
        lock: the name of the lock whose packages they come with.
    """
    return (
        f"{'. '.join(map(str, found))}. Python runs that at every start, before the program that it starts, and"
        " stolen releases of packages use it to send credentials away. Nothing of it was run. Pin the package's last"
        f" release without it in requirements/{lock}.in, run `make lock`, and tell the package's maintainers."
    )


def _read_packages(folder: Path) -> dict[str, str]:
    """Read which package brings which path. An installer lists the paths in RECORD."""
    owners = {}
    for record in folder.glob("*.dist-info/RECORD"):
        package = record.parent.name.removesuffix(".dist-info").replace("-", " ", 1)
        for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
            owners[line.rsplit(",", 2)[0].strip('"')] = package
    return owners


def _find_owner(path: Path, owners: dict[str, str]) -> str:
    exact = owners.get(path.as_posix())
    below = f"{path.as_posix()}/"
    return exact or next((package for name, package in owners.items() if name.startswith(below)), "")
