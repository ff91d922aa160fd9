"""Open a page of the endpoint in your browser. By default, the stack's CloudWatch dashboard.

    pennyworth open --logs
    pennyworth open --url --print

Without a display, as over ssh, it prints the address instead. You must be logged in to the AWS console there.
"""

import argparse
import os
import sys
import webbrowser
from collections.abc import Mapping

from pennyworth.cli import stack
from pennyworth.cli.output import json_option, print_json, print_result
from pennyworth.host.errors import OperationFailed
from pennyworth.host.progress import say

PAGES = {
    "dashboard": "the CloudWatch dashboard with traffic, errors and latency (the default)",
    "logs": "the function's log group",
    "stack": "the CloudFormation stack",
    "function": "the Lambda function",
    "url": "the endpoint's base URL",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    which = parser.add_mutually_exclusive_group()
    for name, what in PAGES.items():
        which.add_argument(f"--{name}", dest="page", action="store_const", const=name, help=what)
    parser.set_defaults(page="dashboard")
    parser.add_argument(
        "--print", dest="only_print", action="store_true", help="print the address, and open nothing"
    )
    json_option(parser, "all addresses")


def run(options: argparse.Namespace) -> int:
    """Open or print the page. Returns 0."""
    stack.connect(options)
    from pennyworth.aws.account import Account
    from pennyworth.aws.console import list_links

    account = Account(options.region)
    links = list_links(stack.require_stack(account, options.stack_name))
    if options.json:
        print_json(links)
        return 0
    if not (url := links[options.page]):
        raise OperationFailed(
            f"The stack has no {options.page}",
            "Deploy with the stack parameter Monitoring=yes."
            if options.page == "dashboard"
            else "Its deployment failed, or it is not an endpoint of this project.",
        )
    if options.only_print or not has_display(os.environ) or not webbrowser.open(url):
        print_result(url)
    else:
        say(f"Opened {url}")
    return 0


def has_display(environ: Mapping[str, str], system: str = sys.platform) -> bool:
    """Check whether a browser could show itself."""
    if environ.get("BROWSER"):
        return True
    if environ.get("SSH_CONNECTION"):
        return False
    return system in {"darwin", "win32"} or any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
