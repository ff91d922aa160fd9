"""The `pennyworth` command. Each subcommand is a thin module here that calls the packages below it.

A subcommand's module defines `arguments(parser)`, which adds its options, and `run(options)`, which returns the
exit status. Its docstring is its --help text. Only the module of the requested subcommand is imported.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from pennyworth import __version__
from pennyworth.host.environments import EnvironmentUnavailable
from pennyworth.host.progress import say, show_anything

COMMANDS = {
    "serve": "run the gateway on this machine",
    "init": "write the workflow and configuration for an endpoint into your own repository",
    "config": "check a LiteLLM config file before you deploy it",
    "eject": "write out everything you need to run your endpoint without this project",
    "build": "build the Lambda function's package with sam",
    "demo": "deploy an endpoint to a local AWS emulator, with a real model behind it",
    "preview": "show what a deployment would change, without changing anything",
    "smoke": "run smoke tests against any OpenAI-compatible endpoint",
    "health": "check whether a deployed endpoint is healthy",
    "credentials": "list, set, create, rotate and remove the endpoint's credentials, without deploying",
    "rollback": "send callers to an earlier version again, without deploying",
    "tighten-passrole": "restrict the deploy role's iam:PassRole to the stack's own roles",
    "bootstrap": "prepare your AWS account and repository for the deployment workflow",
    "policy": "show which permissions the deploy role needs for a template",
    "doctor": "find problems in your AWS and GitHub setup, and show how to fix them",
    "rehearse": "run one of the workflows on this machine, against a local AWS emulator",
    "adapter": "build the AWS Lambda Web Adapter for the local AWS emulator",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments, without the program's name. Default: those of this process.
    Returns:
        the exit status: 0 on success, 1 on failure, 2 on wrong usage, 130 on Ctrl-C.
    """
    show_anything()
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
