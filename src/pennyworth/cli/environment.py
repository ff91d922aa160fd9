"""Subcommands that need libraries: the same command again, in one of the project's own environments."""

import os
import sys
from pathlib import Path

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT


def go_on_in(name: str) -> None:
    """Go on in an environment. Returns where this process runs in it; else it becomes one that does.

    Args:
        name: the environment's, such as `tools`.
    Raises:
        EnvironmentUnavailable: it can't be made.
    """
    programs = environment(name)
    if Path(sys.prefix).resolve() == programs.parent.resolve():
        return
    python = str(programs / "python")
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    os.execv(python, [python, "-m", "pennyworth.cli", *sys.argv[1:]])  # noqa: S606
