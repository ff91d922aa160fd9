"""The Python that a function's runtime names, with nothing but itself on its path."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

from pennyworth.host.places import made

_making = threading.Lock()


class InterpreterMissing(RuntimeError):
    """No such Python is at hand; the message names it."""


def programs(runtime: str) -> Path:
    """A folder whose `python3` and `python` are the runtime's interpreter, to put first on PATH.

    It is a virtual environment without packages, so that what this machine happens to have installed can't stand in
    for what the package lacks.

    Args:
        runtime: Lambda's name, such as python3.13.
    Raises:
        InterpreterMissing: this machine does not have that Python.
    """
    home = made("runtimes") / runtime
    with _making:
        if not (home / "bin" / "python3").exists():
            interpreter = _interpreter(runtime)
            done = subprocess.run(
                [interpreter, "-m", "venv", "--without-pip", "--clear", str(home)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise InterpreterMissing(
                    f"{interpreter} can't make a virtual environment: {done.stderr.strip()}"
                )
    return home / "bin"


def _interpreter(runtime: str) -> str:
    if runtime == f"python{sys.version_info.major}.{sys.version_info.minor}":
        return str(getattr(sys, "_base_executable", sys.executable))
    if found := shutil.which(runtime):
        return found
    raise InterpreterMissing(
        f"the function wants {runtime}, which is not on this machine's PATH. Install it, or deploy for the Python at"
        f" hand (python{sys.version_info.major}.{sys.version_info.minor})."
    )
