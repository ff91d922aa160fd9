"""The options of `pennyworth policy`, for the command and for the program that it runs."""

import argparse
from pathlib import Path

from pennyworth.host.places import ROOT


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    parser.add_argument(
        "--template",
        type=Path,
        default=ROOT / "template.yaml",
        metavar="FILE",
        help="a SAM or CloudFormation template (the project's own by default)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check", action="store_true", help="say what the documents in policies/ lack or hold needlessly"
    )
    what.add_argument("--write", action="store_true", help="write the documents into policies/")
    what.add_argument("--needs", action="store_true", help="print each action with who calls it, and why")
