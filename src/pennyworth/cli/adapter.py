"""Build the AWS Lambda Web Adapter, so that the local AWS emulator runs the real one.

    pennyworth adapter

Needs cargo (https://rustup.rs), takes a minute or two, and writes to the work folder, which `pennyworth --help`
names. You don't have to build it: without it, the local AWS uses a stand-in that speaks the same protocols and
passes the same tests.

To use a binary you already have, put lambda-adapter on PATH, or set PENNYWORTH_LAMBDA_ADAPTER to its path.
To use the stand-in anyway, set PENNYWORTH_LAMBDA_ADAPTER=stand-in.
"""

import argparse
import sys

from pennyworth.local.aws import adapter


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("--again", action="store_true", help="build it even if there already is one")


def run(options: argparse.Namespace) -> int:
    """Build the adapter unless there is one, and print its path."""
    try:
        print((not options.again and adapter.real()) or adapter.build())
    except adapter.AdapterUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0
