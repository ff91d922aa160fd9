"""Installs the evaluator's packages."""

from pathlib import Path

from tests import npm
from tests.npm import programs

__all__ = ["installed", "programs"]


def installed() -> Path:
    """The folder with the packages, complete or not at all.

    Raises:
        EnvironmentUnavailable: they can't be had.
    """
    return npm.installed(Path(__file__).parent)
