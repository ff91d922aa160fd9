"""List, set, create, rotate and remove the endpoint's credentials, without a deployment.

They are encrypted parameters in your AWS account, and the running endpoint reads them by itself. A new API key works
within half a minute. A removed one is refused after five minutes, or fifteen if nobody calls meanwhile. Values come
from standard input or a file, never from the command line, which every process can see. You need permissions of your
own on the stack's parameters. The next deployment writes only those whose secret in the repository has changed.
"""

import argparse
import getpass
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.host.progress import say

if TYPE_CHECKING:
    from pennyworth.aws.credential_store import Credentials

_OVERLAP_DAYS = 7
"""For which an old key works beside the new one, where nothing else is said."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="list|set|create-key|rotate|remove", required=True)
    verbs.add_parser("list", help="names, when each was changed, and how its value ends")
    put = verbs.add_parser("set", help="make or replace one; its value comes from standard input")
    put.add_argument("name", metavar="NAME", help="a variable's name, such as OPENAI_API_KEY")
    put.add_argument("--file", type=Path, metavar="PATH", help="the value is in this file")
    create = verbs.add_parser("create-key", help="create an API key beside the others, and print it once")
    create.add_argument("--label", default="", help="whose key it is (default: the time)")
    rotate = verbs.add_parser(
        "rotate", help="replace an API key: print a new one once, and let the old one work until a date"
    )
    rotate.add_argument(
        "label", metavar="LABEL", help="of the key: what stands behind LITELLM_API_KEYS/ in the list"
    )
    rotate.add_argument(
        "--until",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="the last day (UTC) on which the old key works (default: in 7 days)",
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
        (one.name, f"{one.changed:%Y-%m-%d %H:%M}", " ".join(one.list_endings()))
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


def _create_key(credentials: "Credentials", options: argparse.Namespace) -> None:
    name, key = credentials.create_key(options.label)
    print(key)
    sys.stdout.flush()
    say(f"The new key is {name}. It is shown this once. The other keys stay valid until you remove them.")


def _rotate(credentials: "Credentials", options: argparse.Namespace) -> None:
    until = options.until or datetime.now(UTC).date() + timedelta(days=_OVERLAP_DAYS)
    old, key = credentials.rotate_key(options.label, until)
    print(key)
    sys.stdout.flush()
    say(
        f"The new key of {options.label} is shown this once. The old one is {old} now: it works to the end of {until}"
        " (UTC), and then no more. To end it sooner, remove it."
    )


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


_VERBS = {"list": _list, "set": _set, "create-key": _create_key, "rotate": _rotate, "remove": _remove}
