"""Goes on in a newer Python where a runner's own is too old, as on RHEL 9 and Ubuntu 22.04. Python 3.8 can read this.

Uses one that is on PATH; else has uv find one; else has uv install one in the work folder. uv checks what it downloads
(https://docs.astral.sh/uv/concepts/python-versions). UV_PYTHON_INSTALL_MIRROR names another place to get it from.
"""

from __future__ import annotations  # Python 3.8 can't evaluate list[str]

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = (3, 11)
"""The oldest Python that runs this project."""
_WANTED = "3.13"
_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")
_LOCK = Path("requirements", "uv.txt")


def go_on_in_newer(root: Path) -> str | None:
    """Run this program again with a newer Python. Does not return if there is one.

    Args:
        root: the checkout, with the lock of uv.
    Returns:
        why there is none; None outside GitHub Actions and where this program's arguments are not known.
    """
    command = _read_own_arguments()
    if os.environ.get("GITHUB_ACTIONS") != "true" or not command:
        return None
    try:
        python = _find_on_path() or _find_with_uv(root)
        os.execv(python, [python, *command])  # noqa: S606
    except (OSError, subprocess.CalledProcessError) as failure:
        return (getattr(failure, "stderr", "") or str(failure)).strip()


def _read_own_arguments() -> list[str]:
    """Return this program's arguments as they were given: before Python 3.10, sys has them no more at this point."""
    given = Path("/proc/self/cmdline")
    return given.read_bytes().decode().split("\0")[1:-1] if given.exists() else sys.orig_argv[1:]


def _find_on_path() -> str | None:
    for name in _NAMES:
        python = shutil.which(name)
        # a version manager's shim may be there without its Python
        if python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            return python
    return None


def _find_with_uv(root: Path) -> str:
    work = Path(os.environ.get("PENNYWORTH_WORK_DIR") or tempfile.gettempdir(), "python")
    home = work / "uv"
    uv = str(home / "bin" / "uv")
    if not os.access(uv, os.X_OK):
        _run([sys.executable, "-m", "venv", str(home)])
        install = ["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--require-hashes"]
        _run([str(home / "bin" / "python"), *install, "-r", str(root / _LOCK)])
    environ = {"UV_PYTHON_INSTALL_DIR": str(work / "versions"), "UV_NO_PROGRESS": "1", "UV_NO_CONFIG": "1"}
    find = [uv, "python", "find", "--no-project", "--no-python-downloads", f">={OLDEST[0]}.{OLDEST[1]}"]
    try:
        return _run(find, environ)
    except subprocess.CalledProcessError:
        print(f"Python {sys.version.split()[0]} is too old: uv installs {_WANTED}", flush=True)
        _run([uv, "python", "install", "--no-bin", _WANTED], environ)
        return _run(find, environ)


def _run(command: list[str], environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, env={**os.environ, **(environ or {})}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
