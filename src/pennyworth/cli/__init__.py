"""The `pennyworth` command. Thin: each subcommand is a module here that calls the rooms below it.

A subcommand's module holds `arguments(parser)`, which adds its options, and `run(options)`, which returns the exit
status. Its docstring is its --help. Only the module that is asked for is imported.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from pennyworth import __version__
from pennyworth.host.environments import EnvironmentUnavailable
from pennyworth.host.progress import say

COMMANDS = {
    "serve": "serve the gateway on this machine",
    "init": "an endpoint in your own repository: write its workflow and configuration",
    "config": "check a LiteLLM config file before it is deployed",
    "eject": "what you would have to own to leave, and write it",
    "build": "build the function's package with sam",
    "demo": "your own endpoint on a local AWS, with a real model behind it",
    "preview": "say what a deployment would change, and change nothing",
    "smoke": "try an OpenAI-compatible endpoint as its users would",
    "health": "look whether a deployed endpoint is well",
    "credentials": "list, set, create, rotate and remove the endpoint's credentials, without a deployment",
    "rollback": "let callers reach an earlier version again, without a deployment",
    "tighten-passrole": "keep the deploy role's PassRole to the stack's own roles",
    "bootstrap": "set your AWS account and repository up for the deployment workflow",
    "policy": "what the deploy role needs for a template, and what its documents lack",
    "doctor": "look a set-up over, and say what fixes it",
    "rehearse": "run one of the workflows against the local AWS",
    "adapter": "build the real Lambda Web Adapter for the local AWS",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: its words, without the program's name; the process's own by default.
    Returns:
        the exit status: 0, 1 where something failed, 2 where the call was wrong, 130 where it was interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="pennyworth", description="Your own OpenAI-compatible LLM endpoint, in your own AWS account."
    )
    parser.add_argument("--version", action="version", version=f"pennyworth {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in words if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        code = f"pennyworth.cli.{name.replace('-', '_')}"
        module = importlib.import_module(code) if name == asked else None
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=module.__doc__ if module else summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if module:
            module.arguments(subparser)
            subparser.set_defaults(run=module.run)
    options = parser.parse_args(words)
    try:
        return int(options.run(options))
    except EnvironmentUnavailable as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
