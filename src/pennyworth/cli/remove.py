"""Delete the endpoint and everything that belongs to it.

    pennyworth remove --dry-run
    pennyworth remove --all

Shows what it will delete, and asks you to type the stack's name. It deletes the stack with its logs and alarms, the
credentials in the Parameter Store, and the packages in S3. It keeps data that the template retains, unless you give
--with-data; and the setup of your account, unless you give --all. It says what stays and how to remove that.

First delete or disable the deployment workflow: otherwise the next push deploys the endpoint again. If something can't
be deleted, run it again: it continues where it stopped. It needs AWS credentials of your own.
"""

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from pennyworth.cli import stack
from pennyworth.cli.output import Misused, json_option, print_json
from pennyworth.host.errors import OperationFailed
from pennyworth.host.processes import raise_on_signals
from pennyworth.host.progress import say, step

if TYPE_CHECKING:
    from pennyworth.setup.remove import Kept, Removal


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    add = parser.add_argument
    add("--all", action="store_true", help="also remove what `pennyworth bootstrap` set up")
    add("--with-data", action="store_true", help="also delete data that the template retains, such as tables")
    add("--dry-run", action="store_true", help="show what would be deleted, and delete nothing")
    add("--yes", action="store_true", help="don't ask")
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Remove the endpoint. Returns 0 if it is gone or was gone before."""
    if options.json and not (options.yes or options.dry_run):
        raise Misused("--json can't ask for confirmation: add --yes or --dry-run")
    stack.connect(options)
    from pennyworth.aws.account import Account
    from pennyworth.setup.remove import find_removal

    raise_on_signals()
    account = Account(options.region)
    name = options.stack_name
    with step(f"looking for what belongs to {name}"):
        found = find_removal(account, name, with_data=options.with_data, with_set_up=options.all)
    if found.nothing:
        say(
            f"There is nothing to remove: {name} has no stack, credentials or packages in {account.region}"
            f" (account {account.id})."
        )
        return _report(found, [], options, removed=False)
    print(f"Account {account.id} ({account.caller}), region {account.region}. This will be deleted:")
    print("\n".join(f"- {line}" if not line.startswith(" ") else line for line in found.describe()))
    if options.dry_run:
        kept = found.list_kept()
        _tell(kept, "These stay:")
        return _report(found, kept, options, removed=False)
    if not options.yes:
        _confirm(name)
    kept = found.carry_out()
    say(f"{name} was removed.")
    _tell(kept, "These stay:")
    return _report(found, kept, options, removed=True)


def _confirm(name: str) -> None:
    """Ask for the stack's name.

    Raises:
        OperationFailed: it was not typed, or nobody can be asked.
    """
    if not sys.stdin.isatty():
        raise OperationFailed("There is no terminal to ask for confirmation. Add --yes to confirm.")
    sys.stdout.flush()
    if input(f"Type the stack's name ({name}) to delete all of this: ").strip() != name:
        raise OperationFailed("Nothing was deleted.")


def _tell(kept: "list[Kept]", title: str) -> None:
    if kept:
        say(title)
    for one in kept:
        say(f"- {one.what}{f': {one.why}' if one.why else ''}")
        if one.how:
            say(f"  → {one.how}")


def _report(found: "Removal", kept: "list[Kept]", options: argparse.Namespace, *, removed: bool) -> int:
    if options.json:
        print_json(
            {
                "stack": found.name,
                "region": found.account.region,
                "removed": removed,
                "what": found.describe(),
                "kept": [asdict(one) for one in kept],
            }
        )
    return 0
