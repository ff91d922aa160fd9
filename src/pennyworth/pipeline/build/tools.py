"""Programs that the build runs to their end."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.host.processes import Child


class BuildFailed(OperationFailed):
    """The package could not be built; the message says why and what to do next."""


def run(command: Sequence[str | Path], trouble: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program.

    Args:
        command: program and arguments.
        trouble: what it means where the program fails.
        env: its whole environment; this process's by default.
    Returns:
        what it wrote, standard error included.
    Raises:
        BuildFailed: it failed; says `trouble`, then what the program said.
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
