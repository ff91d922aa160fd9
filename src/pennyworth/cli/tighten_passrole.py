"""Keep the deploy role's PassRole to the stack's own roles.

Without options: writes a version of the deploy role's policy whose PassRole names exactly the roles that the deployed
stack has, each to the services that its trust policy names, proves it by IAM's simulator, and shows what changed.
Where nothing changed nothing is written. The deployment workflow does the same after each deployment, and --prepare
before it. The credentials are those of the environment, your own or the deploy role's.
"""

import argparse
from pathlib import Path

from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.host.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    add = parser.add_argument
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--prepare",
        type=Path,
        metavar="TEMPLATE",
        help="before a deployment: admit the roles that this template is about to create, and those that there are",
    )
    instead.add_argument("--restore", action="store_true", help="put the policy's previous version back")
    add("--dry-run", action="store_true", help="only show what would change")
    add("--policy", metavar="NAME", help="the policy, by name or ARN (default: pennyworth-deployment)")
    add("--role", metavar="NAME", help="the role that has it (default: pennyworth-github-deploy-role)")


def run(options: argparse.Namespace) -> int:
    """Rewrite the policy; 0 where it says what it should."""
    if not stack.named("tighten-passrole", options):
        return 2
    go_on_in("tools")
    from pennyworth.host.errors import OperationFailed
    from pennyworth.iam.passrole import Inputs, Target, as_markdown, change_passrole

    given = {name: value for name in ("policy", "role") if (value := getattr(options, name))}
    target = Target(options.stack_name, options.region, **given)
    try:
        inputs = Inputs(target, options.prepare, options.restore, options.dry_run)
        print(as_markdown(change_passrole(inputs), inputs))
    except OperationFailed as failure:
        say(str(failure))
        return 1
    return 0
