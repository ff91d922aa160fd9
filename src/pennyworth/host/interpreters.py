"""Finds other Python versions on this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pennyworth.host.environments import EnvironmentUnavailable, clean_environ, uv

_PROBE = "import sys; print(sys.implementation.name, sys.version_info.releaselevel, sys.version.split()[0])"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython on this machine."""

    path: str
    version: str
    """The full version, such as 3.13.1."""


@cache
def interpreter(version: str) -> Interpreter | None:
    """Find a CPython on this machine. Downloads nothing.

    Args:
        version: the major and minor version, such as 3.13.
    Returns:
        the interpreter; None if there is none.
    """
    for candidate in _candidates(version):
        words = _said([candidate, "-I", "-S", "-c", _PROBE]).split()
        if words[:2] == ["cpython", "final"] and words[2].startswith(f"{version}."):
            return Interpreter(candidate, words[2])
    return None


def _candidates(version: str) -> Iterator[str]:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield sys.executable
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path  # may be a version manager's shim, which fails if this version is not active
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True))
    try:
        found = _said(
            [uv(), "python", "find", "--no-config", "--no-project", "--no-python-downloads", version]
        )
    except EnvironmentUnavailable:
        return
    if found:
        yield found


def _said(command: list[str | Path]) -> str:
    """Run a program and return its output; empty if it fails."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=clean_environ(),
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
