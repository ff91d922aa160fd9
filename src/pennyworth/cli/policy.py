"""What the deploy role needs for a template: derived from what CloudFormation's own handlers call for its resources.

Without options it prints the documents, with `${...}` where an account's own names go. policies/README.md tells what
each statement is for, docs/permissions.md how they come about.
"""

import argparse
import os
import subprocess

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT
from pennyworth.iam.policy.options import arguments as arguments


def run(options: argparse.Namespace) -> int:
    """Run it where the schemas and SAM's transform are."""
    words = ["--template", str(options.template)]
    words += [f"--{name}" for name in ("check", "write", "needs") if getattr(options, name)]
    return subprocess.run(
        [environment("tools") / "python", "-m", "pennyworth.iam.policy", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
    ).returncode
