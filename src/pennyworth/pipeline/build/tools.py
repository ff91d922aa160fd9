"""Run the programs that the build needs."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.host.processes import Child


class BuildFailed(OperationFailed):
    """The package could not be built; the message says why and what to do."""


def run(command: Sequence[str | Path], trouble: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program and wait for it.

    Args:
        command: the program and its arguments.
        trouble: the error message if the program fails.
        env: the program's complete environment; by default that of this process.
    Returns:
        the program's output, including standard error.
    Raises:
        BuildFailed: the program failed. The message is `trouble`, then the program's output.
    """
    with tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        log = Path(scratch, "log")
        with Child(
            command, log=log, env={**(os.environ if env is None else env), "TMPDIR": scratch}
        ) as child:
            status = child.wait()
        said = log.read_text(errors="replace").strip()
    if status:
        raise BuildFailed(f"{trouble}\n{said}")
    return said
