"""Provides Lambda's Python runtimes: the interpreter that a function needs, without any packages."""

import fcntl
import subprocess
import sys
from pathlib import Path

from pennyworth.host.errors import OperationFailed
from pennyworth.host.interpreters import interpreter
from pennyworth.host.places import made


class RuntimeMissing(OperationFailed):
    """This machine lacks the Python version. The message names it."""


def programs(runtime: str) -> Path:
    """Return a folder for PATH whose `python3` and `python` are the runtime's interpreter.

    It is a virtual environment without packages. So packages installed on this machine can't hide that the
    function's package lacks one.

    Args:
        runtime: Lambda's name, such as python3.13.
    Raises:
        RuntimeMissing: this machine lacks the Python version.
    """
    home = made("runtimes") / runtime
    with home.with_suffix(f"{home.suffix}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "bin" / "python3").exists():
            _make(runtime, home)
    return home / "bin"


def _make(runtime: str, home: Path) -> None:
    found = interpreter(runtime.removeprefix("python"))
    if found is None:
        here = f"python{sys.version_info.major}.{sys.version_info.minor}"
        raise RuntimeMissing(
            f"the function needs {runtime}, which is not on this machine. Install it, or deploy the function for"
            f" {here}."
        )
    command = [found.path, "-m", "venv", "--without-pip", "--clear", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeMissing(f"{found.path} can't create a virtual environment: {done.stderr.strip()}")
