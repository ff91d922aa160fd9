"""Print the completion script for your shell.

    pennyworth completion bash > ~/.local/share/bash-completion/completions/pennyworth
    pennyworth completion zsh > "${fpath[1]}/_pennyworth"
    pennyworth completion fish > ~/.config/fish/completions/pennyworth.fish

Then start a new shell. For this bash only: eval "$(pennyworth completion bash)". The script completes commands,
options, choices and files. It runs no Python when you press Tab; print it again after an update.
"""

import argparse
import importlib.util

from pennyworth.cli.environment import go_on_in
from pennyworth.cli.output import print_result

_SHELLS = ("bash", "zsh", "fish")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("shell", choices=_SHELLS, help="your shell")


def run(options: argparse.Namespace) -> int:
    """Print the script. Returns 0."""
    if importlib.util.find_spec("shtab") is None:
        go_on_in("completion")
    from pennyworth.cli import build_parser
    from pennyworth.setup.completion import write_script

    print_result(write_script(build_parser(), options.shell))
    return 0
