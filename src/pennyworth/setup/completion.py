"""Writes completion scripts for shells, from the command line's parser."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

_FOLDER = "FOLDER"
"""What the help calls a path that is a folder."""


def write_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Write the script that completes a command.

    Args:
        parser: the command's parser, with all its subcommands. Options whose type is Path complete files.
        shell: bash, zsh or fish.
    """
    for action in _list_actions(parser):
        if action.type is Path:
            kind = shtab.DIRECTORY if action.metavar == _FOLDER else shtab.FILE
            action.complete = kind  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _list_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the actions of a parser and of its subparsers."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for subparser in action.choices.values():
                yield from _list_actions(subparser)
