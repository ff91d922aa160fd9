"""Build the real AWS Lambda Web Adapter, which the local AWS then runs in front of functions.

Needs cargo, takes a minute or two, and writes to .pennyworth/adapter. Without it the local AWS uses a stand-in that
speaks the same protocols; the tests hold both to the same behaviour. A binary that lies elsewhere is taken from PATH
(lambda-adapter) or from PENNYWORTH_LAMBDA_ADAPTER; that variable set to `stand-in` takes the stand-in.
"""

import argparse
import sys

from pennyworth.local.aws import adapter


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("--again", action="store_true", help="build it even where one is at hand")


def run(options: argparse.Namespace) -> int:
    """Build it where none is at hand, and print where it lies."""
    try:
        print((not options.again and adapter.real()) or adapter.build())
    except adapter.AdapterUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0
