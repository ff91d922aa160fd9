"""Bytecode for the target's own Python, where an interpreter of that version is at hand.

Unchecked: Lambda's files are all of one date, and nobody edits them, so Python need not look whether a source
has changed. Without bytecode every import takes about twice as long, at each cold start.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pennyworth.host.environments import clean_environ, uv
from pennyworth.pipeline.package.tools import BuildFailed, output

_PROBE = "import sys; print(sys.implementation.name, sys.version_info.releaselevel, sys.version.split()[0])"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython on this machine."""

    path: str
    version: str
    """In full, such as 3.13.1: bytecode may differ between patch releases."""


@cache
def interpreter(version: str) -> Interpreter | None:
    """A CPython of exactly a version on this machine, or None. Nothing is downloaded.

    Args:
        version: major and minor, such as 3.13.
    """
    for candidate in _candidates(version):
        try:
            name, level, full = output([candidate, "-I", "-c", _PROBE], "no interpreter").split()
        except (BuildFailed, ValueError):  # a shim of a version manager, for instance
            continue
        if name == "cpython" and level == "final" and full.startswith(f"{version}."):
            return Interpreter(candidate, full)
    return None


def _candidates(version: str) -> Iterator[str]:
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        yield sys.executable
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))
    try:
        yield output(
            [uv(), "python", "find", "--no-config", "--no-project", "--no-python-downloads", version],
            "none found",
            clean_environ(),
        )
    except BuildFailed:
        return


def compile_all(folder: Path, root: Path, by: Interpreter) -> None:
    """Compile every source file below a folder.

    Args:
        folder: what to compile.
        root: the package's root, which lies at /var/task when it runs.
        by: the interpreter that it will run on.
    Raises:
        BuildFailed: a file is no valid source for that Python.
    """
    options = ["-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/var/task"]
    output(
        [by.path, "-m", "compileall", *options, folder],
        f"Python {by.version} could not compile the package's sources.",
        # the order of a set's members stands in the bytecode
        {**clean_environ(), "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1"},
    )
