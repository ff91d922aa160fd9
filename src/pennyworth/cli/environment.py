"""Restarts a subcommand in one of the project's own Python environments, for the libraries it needs."""

import os
import sys
from pathlib import Path

from pennyworth.host.environments import environment
from pennyworth.host.source_tree import source_tree


def go_on_in(name: str) -> None:
    """Continue in an environment. Returns if this process already runs in it; otherwise replaces the process.

    Args:
        name: the environment's name, such as `tools`.
    Raises:
        EnvironmentUnavailable: the environment can't be created.
    """
    programs = environment(name)
    if Path(sys.prefix).resolve() == programs.parent.resolve():
        return
    python = str(programs / "python")
    os.environ["PYTHONPATH"] = str(source_tree() / "src")
    os.execv(python, [python, "-m", "pennyworth.cli", *sys.argv[1:]])  # noqa: S606
