"""The fixtures that this folder shares with others."""

from tests.shell import shell

__all__ = ["shell"]
