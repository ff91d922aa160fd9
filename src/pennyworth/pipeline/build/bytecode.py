"""Bytecode for the target's own Python.

Unchecked: Lambda's files are all of one date and never edited, so Python need not look whether a source has changed.
Without bytecode every import takes about twice as long, at each cold start.
"""

from pathlib import Path

from pennyworth.host.environments import clean_environ
from pennyworth.host.interpreters import Interpreter
from pennyworth.pipeline.build.tools import run


def compile_all(folder: Path, root: Path, by: Interpreter) -> None:
    """Compile every source file below a folder.

    Args:
        folder: what to compile.
        root: the package's root, which lies at /var/task when it runs.
        by: the interpreter that it will run on.
    Raises:
        BuildFailed: a file is no valid source for that Python.
    """
    unchecked = ["--invalidation-mode", "unchecked-hash"]
    run(
        [
            by.path,
            "-m",
            "compileall",
            "-q",
            "-f",
            "-j",
            "0",
            *unchecked,
            "-s",
            root,
            "-p",
            "/var/task",
            folder,
        ],
        f"Python {by.version} could not compile the package's sources.",
        # the order of a set's members stands in the bytecode
        {**clean_environ(), "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1"},
    )
