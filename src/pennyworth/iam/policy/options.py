"""The options of `pennyworth policy`, shared by the command and the module it runs."""

import argparse
from pathlib import Path

from pennyworth.host.places import ROOT


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    parser.add_argument(
        "--template",
        type=Path,
        default=ROOT / "template.yaml",
        metavar="FILE",
        help="a SAM or CloudFormation template (default: the project's own)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check", action="store_true", help="report missing and unneeded permissions in policies/"
    )
    what.add_argument("--write", action="store_true", help="write the documents to policies/")
    what.add_argument("--needs", action="store_true", help="print each action with its caller and the reason")
