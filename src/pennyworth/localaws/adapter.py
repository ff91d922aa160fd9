"""What stands between Lambda and the app: the real Web Adapter where it is at hand, else our stand-in."""

import os
import shutil
import sys
from pathlib import Path

from pennyworth.host.places import work_dir
from pennyworth.localaws import standin

VERSION = "1.0.0-rc1"
"""The newest on crates.io."""
PROGRAM = "lambda-adapter"
VARIABLE = "PENNYWORTH_LAMBDA_ADAPTER"
STAND_IN = "stand-in"


def built() -> Path:
    """Where `pennyworth adapter` puts it."""
    return work_dir() / "adapter" / "bin" / PROGRAM


def real_adapter() -> Path | None:
    """The real Web Adapter's program: built here, or on PATH."""
    found = built() if os.access(built(), os.X_OK) else shutil.which(PROGRAM)
    return Path(found) if found else None


def adapter_command() -> list[str]:
    """The command that runs beside the function.

    The variable PENNYWORTH_LAMBDA_ADAPTER decides where it is set: a program's path, or `stand-in`.
    """
    chosen = os.environ.get(VARIABLE) or real_adapter()
    if chosen is None or str(chosen) == STAND_IN:
        return [sys.executable, "-I", "-S", standin.__file__]
    return [str(chosen)]
