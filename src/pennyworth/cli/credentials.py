"""List, set, create, rotate and remove the endpoint's credentials, without deploying.

    pennyworth credentials --stack-name endpoint --region us-east-1 create-key --label alice
    pennyworth credentials --stack-name endpoint --region us-east-1 set OPENAI_API_KEY < key.txt

Without --stack-name and --region, STACK_NAME and AWS_REGION name the endpoint.

Credentials are encrypted parameters in AWS Systems Manager Parameter Store. The running endpoint reads them by
itself: a new API key works within 30 seconds. A removed key is refused after 5 minutes, or after 15 minutes if
nobody calls in between.

Pass values on standard input or in a file: other processes can see command-line arguments. A value may have several
lines, as a PEM or JSON has, and at most 4 KB. Your AWS credentials need permission to read and write the stack's
parameters. The next deployment overwrites a parameter only if its GitHub secret has changed.
"""

import argparse
import getpass
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pennyworth.cli import stack
from pennyworth.cli.output import Misused, json_option, print_json
from pennyworth.gateway.credentials import API_KEYS
from pennyworth.host.errors import OperationFailed
from pennyworth.host.progress import say

if TYPE_CHECKING:
    from pennyworth.aws.credential_store import Credentials

_OVERLAP_DAYS = 7
"""How long the old key keeps working after a rotation, by default."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="list|set|create-key|rotate|remove", required=True)

    def add_verb(name: str, summary: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        stack.options(verb, repeated=True)
        json_option(verb)
        return verb

    add_verb("list", "list names, dates of change, and the last characters of each value")
    put = add_verb("set", "create or replace a credential; the value comes from standard input")
    put.add_argument("name", metavar="NAME", help="the environment variable it sets, such as OPENAI_API_KEY")
    # taken only to be refused: argparse would repeat what it does not know
    put.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    put.add_argument("--file", type=Path, metavar="PATH", help="read the value from this file instead")
    create = add_verb("create-key", "add an API key and print it once")
    create.add_argument("--label", default="", help="whose key it is (default: the current time)")
    rotate = add_verb("rotate", "replace an API key: print the new one once; the old one works until a date")
    rotate.add_argument(
        "label", metavar="LABEL", help="the key's label: the part after LITELLM_API_KEYS/ in the list"
    )
    rotate.add_argument(
        "--until",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="the last day (UTC) on which the old key works (default: 7 days from now)",
    )
    remove = add_verb("remove", "remove a credential or a single API key")
    which = remove.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", metavar="NAME", help="the credential's name, as `list` shows it")
    which.add_argument("--api-key", metavar="ENDING", help="remove the API key that ends in these characters")


def run(options: argparse.Namespace) -> int:
    """Run the chosen action. Returns the exit status."""
    stack.require(options)
    if getattr(options, "rest", None):
        raise Misused(
            "don't put the value on the command line, where others can see it. Pipe it in, or use --file"
        )
    stack.connect(options)
    from pennyworth.aws.credential_store import Credentials, is_read_by

    try:
        result = _VERBS[options.verb](Credentials(options.stack_name, options.region), options)
    except UnicodeDecodeError:  # whose own words show some of the value
        raise OperationFailed(
            "the value is not UTF-8 text. Convert it, such as with iconv or base64"
        ) from None
    except OSError as failure:
        raise OperationFailed(str(failure)) from failure
    if options.json:
        print_json(result)
    if is_read_by(options.stack_name, options.region) is False:
        say(
            f"⚠ {options.stack_name} ignores these credentials: it was deployed with the stack parameter ApiKeys or"
            " ProviderCredentials. Deploy it again with both empty."
        )
    return 0


def _list(credentials: "Credentials", options: argparse.Namespace) -> dict[str, Any]:
    found = credentials.fetch_all().values()
    rows = [(one.name, one.changed, one.list_endings()) for one in found]
    if not rows:
        say(f"There are no credentials under {credentials.path}.")
    width = max((len(name) for name, _, _ in rows), default=0)
    if not options.json:
        for name, changed, endings in rows:
            print(f"{name:<{width}}  {changed:%Y-%m-%d %H:%M}  {' '.join(endings)}")
    return {
        "path": credentials.path,
        "credentials": [
            {"name": name, "changed": changed.isoformat(), "endings": endings}
            for name, changed, endings in rows
        ],
    }


def _set(credentials: "Credentials", options: argparse.Namespace) -> dict[str, Any]:
    from pennyworth.aws.credential_store import check_name

    check_name(options.name)
    if options.file:
        value = options.file.read_text(encoding="utf-8-sig")
    elif sys.stdin.isatty():
        value = getpass.getpass(f"{options.name}: ")
    else:
        value = sys.stdin.buffer.read().decode("utf-8-sig").replace("\r\n", "\n")
    credentials.set(
        options.name, value.removesuffix("\n")
    )  # the end of the file's last line, not the value's
    say(f"{credentials.path}/{options.name} is set.")
    return {"name": options.name}


def _create_key(credentials: "Credentials", options: argparse.Namespace) -> dict[str, Any]:
    name, key = credentials.create_key(options.label)
    _show_key(key, options)
    say(f"The new key is {name}. It is shown only once. The other keys stay valid until you remove them.")
    return {"name": name, "key": key}


def _rotate(credentials: "Credentials", options: argparse.Namespace) -> dict[str, Any]:
    until = options.until or datetime.now(UTC).date() + timedelta(days=_OVERLAP_DAYS)
    old, key = credentials.rotate_key(options.label, until)
    _show_key(key, options)
    say(
        f"The new key of {options.label} is shown only once. The old key is now called {old} and works until the end of"
        f" {until} (UTC). To revoke it sooner, remove it."
    )
    return {"name": f"{API_KEYS}/{options.label}", "key": key, "old_name": old, "old_works_until": str(until)}


def _remove(credentials: "Credentials", options: argparse.Namespace) -> dict[str, Any]:
    name = options.name
    if name:
        credentials.remove(name)
    else:
        name = credentials.revoke(options.api_key)
    say(
        f"Removed from {credentials.path}/{name}. If the repository's GitHub secrets also contain it, remove it there"
        " too: otherwise the next deployment writes it again."
    )
    return {"name": name}


def _show_key(key: str, options: argparse.Namespace) -> None:
    """Print a new key, unless JSON holds it."""
    if not options.json:
        print(key, flush=True)


_VERBS = {"list": _list, "set": _set, "create-key": _create_key, "rotate": _rotate, "remove": _remove}
