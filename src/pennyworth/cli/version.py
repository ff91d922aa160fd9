"""Show the version of this command, and the Python that runs it.

pennyworth version --json
"""

import argparse
import platform
import sys

from pennyworth import __version__
from pennyworth.cli.output import json_option, print_json, print_result


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the version. Returns 0."""
    if options.json:
        print_json(
            {"version": __version__, "python": platform.python_version(), "executable": sys.executable}
        )
    else:
        print_result(f"pennyworth {__version__}")
    return 0
