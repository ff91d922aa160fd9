"""The endpoint's credentials, kept as encrypted parameters in your AWS account: see, set, rotate and remove them.

The running endpoint reads them by itself: no deployment is needed. A new API key opens within half a minute, a removed
one is refused after five minutes, or fifteen where nobody called meanwhile. Values are read from standard input or a
file, never from the command line, which every process can see. Whoever calls this needs rights of their own on the
stack's parameters; the next deployment writes only those whose secret in the repository has changed.
"""

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.host.progress import say

if TYPE_CHECKING:
    from pennyworth.aws.credential_store import Credentials


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="list|set|rotate|remove", required=True)
    verbs.add_parser("list", help="names, when each was changed, and how its value ends")
    put = verbs.add_parser("set", help="make or replace one; its value comes from standard input")
    put.add_argument("name", metavar="NAME", help="a variable's name, such as OPENAI_API_KEY")
    put.add_argument("--file", type=Path, metavar="PATH", help="the value is in this file")
    rotate = verbs.add_parser(
        "rotate", help="make a new API key beside the old ones, and print it, this once"
    )
    rotate.add_argument(
        "--label", default="", help="tells it from the others in the list (default: the time)"
    )
    remove = verbs.add_parser("remove", help="remove one, or a single API key")
    which = remove.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", metavar="NAME", help="as the list has it")
    which.add_argument("--api-key", metavar="ENDING", help="the one API key that ends so, wherever it stands")


def run(options: argparse.Namespace) -> int:
    """Do it; 0 where it is done."""
    if not stack.named("credentials", options):
        return 2
    go_on_in("tools")
    from pennyworth.aws.credential_store import Credentials, CredentialsFailed, is_read_by

    try:
        _VERBS[options.verb](Credentials(options.stack_name, options.region), options)
        if is_read_by(options.stack_name, options.region) is False:
            say(
                f"⚠ {options.stack_name} was deployed with ApiKeys or ProviderCredentials and reads no parameters."
                " Deploy it with both empty."
            )
    except (CredentialsFailed, OSError) as failure:
        say(f"pennyworth credentials: {failure}")
        return 1
    return 0


def _list(credentials: "Credentials", options: argparse.Namespace) -> None:
    rows = [
        (one.name, f"{one.changed:%Y-%m-%d %H:%M}", " ".join(one.endings()))
        for one in credentials.fetch_all().values()
    ]
    if not rows:
        say(f"There are none below {credentials.path}.")
    width = max((len(name) for name, _, _ in rows), default=0)
    for name, changed, endings in rows:
        print(f"{name:<{width}}  {changed}  {endings}")


def _set(credentials: "Credentials", options: argparse.Namespace) -> None:
    if options.file:
        value = options.file.read_text()
    elif sys.stdin.isatty():
        value = getpass.getpass(f"{options.name}: ")
    else:
        value = sys.stdin.read()
    credentials.set(options.name, value.strip())
    say(f"{credentials.path}/{options.name} is set.")


def _rotate(credentials: "Credentials", options: argparse.Namespace) -> None:
    name, key = credentials.issue(options.label)
    print(key)
    sys.stdout.flush()
    say(f"The new key stands in {name}, and is shown this once. The others go on until they are removed.")


def _remove(credentials: "Credentials", options: argparse.Namespace) -> None:
    name = options.name
    if name:
        credentials.remove(name)
    else:
        name = credentials.revoke(options.api_key)
    say(
        f"Removed from {credentials.path}/{name}. If the repository's secrets hold it, too, remove it there: a"
        " deployment writes a secret that was changed, or is missing here."
    )


_VERBS = {"list": _list, "set": _set, "rotate": _rotate, "remove": _remove}
