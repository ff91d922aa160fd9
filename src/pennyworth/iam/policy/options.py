"""The options of `pennyworth policy`, for the command and the program that it runs."""

import argparse
from pathlib import Path

from pennyworth.host.places import ROOT


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--template",
        type=Path,
        default=ROOT / "template.yaml",
        metavar="FILE",
        help="a SAM or CloudFormation template (default: template.yaml)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check",
        action="store_true",
        help="show which permissions the documents in policies/ lack or don't need",
    )
    what.add_argument("--write", action="store_true", help="update the documents in policies/")
    what.add_argument(
        "--needs", action="store_true", help="list each action, with what calls it and why, as JSON"
    )
    parser.add_argument("--json", action="store_true", help="print the result of --check as JSON, too")
