"""Show which permissions the deploy role needs to deploy a template.

    pennyworth policy --check

The permissions are derived from the API calls that CloudFormation's resource handlers make. Without options, it
prints the policy documents as JSON, with `${...}` in place of your account's names. policies/README.md explains each
statement, and docs/permissions.md how they are derived. --write works in a checkout only.
"""

import argparse
import os
import subprocess

from pennyworth.cli.output import Misused
from pennyworth.host.environments import environment
from pennyworth.host.places import is_checkout
from pennyworth.host.source_tree import source_tree
from pennyworth.iam.policy.options import arguments as arguments


def run(options: argparse.Namespace) -> int:
    """Run it in the environment that has the resource schemas and SAM. Returns the exit status."""
    if options.write and not is_checkout():
        raise Misused("--write changes the documents of a checkout, and this is an installed package")
    words = ["--template", str(options.template)]
    words += [f"--{name}" for name in ("check", "write", "needs", "json") if getattr(options, name)]
    return subprocess.run(
        [environment("tools") / "python", "-m", "pennyworth.iam.policy", *words],
        env={**os.environ, "PYTHONPATH": str(source_tree() / "src")},
        check=False,
    ).returncode
