"""Compile bytecode for the target's Python version.

Without bytecode, imports take about twice as long, at each cold start. Python does not check whether the bytecode is
outdated, because the files of a package never change.
"""

from pathlib import Path

from pennyworth.host.environments import clean_environ
from pennyworth.host.interpreters import Interpreter
from pennyworth.pipeline.build.tools import run


def compile_all(folder: Path, root: Path, by: Interpreter) -> None:
    """Compile every source file below a folder.

    Args:
        folder: the folder to compile.
        root: the package's root, which is /var/task in Lambda.
        by: an interpreter of the target's Python version.
    Raises:
        BuildFailed: a file can't be compiled.
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
        # bytecode contains sets in their hash order
        {**clean_environ(), "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1"},
    )
