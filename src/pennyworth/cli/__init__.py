"""The `pennyworth` command. Each subcommand is a thin module here that calls the packages below it.

A subcommand's module defines `arguments(parser)`, which adds its options, and `run(options)`, which returns the
exit status. Its docstring is its --help text. Only the module of the requested subcommand is imported.

A command raises OperationFailed, or lets AWS's exceptions pass: what the user then sees is written here, once. Its
exit status is 2 for wrong usage, else the module's FAILED, or 1.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence, Set
from functools import partial
from types import ModuleType

from pennyworth import __version__
from pennyworth.cli import stack
from pennyworth.cli.output import Parser, report_failure, results_only
from pennyworth.host.pipes import end_with_reader
from pennyworth.host.places import VARIABLE, work_dir
from pennyworth.host.progress import show_anything

COMMANDS = {
    "serve": "run the gateway on this machine",
    "init": "write the workflow and configuration for an endpoint into your own repository",
    "config": "check a LiteLLM config file before you deploy it, or import one",
    "eject": "write out everything you need to run your endpoint without this project",
    "build": "build the Lambda function's package with sam",
    "demo": "deploy an endpoint to a local AWS emulator, with a real model behind it",
    "preview": "show what a deployment would change, without changing anything",
    "status": "show what is deployed, where, and whether it is healthy",
    "logs": "show the endpoint's requests and errors, and follow them",
    "open": "open the endpoint's pages in the AWS console",
    "smoke": "run smoke tests against any OpenAI-compatible endpoint",
    "health": "check whether a deployed endpoint is healthy",
    "credentials": "list, set, create, rotate and remove the endpoint's credentials, without deploying",
    "rollback": "send callers to an earlier version again, without deploying",
    "recover": "bring the stack out of a failed state, so that it can be deployed again",
    "tighten-passrole": "restrict the deploy role's iam:PassRole to the stack's own roles",
    "bootstrap": "prepare your AWS account and repository for the deployment workflow",
    "policy": "show which permissions the deploy role needs for a template",
    "doctor": "find problems in your AWS and GitHub setup, and show how to fix them",
    "rehearse": "run one of the workflows on this machine, against a local AWS emulator",
    "remove": "delete the endpoint, and everything that belongs to it",
    "completion": "print the completion script for your shell",
    "version": "show the version of this command",
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
    return end_with_reader(partial(_run, words))


def _run(words: list[str]) -> int:
    Parser.words = tuple(words)
    asked = next((word for word in words if not word.startswith("-")), None)
    options = build_parser({asked} if asked else set()).parse_args(words)
    with results_only(getattr(options, "json", False)):
        try:
            stack.settle(options)
            return int(options.run(options))
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:  # the reader has enough, as in `pennyworth logs | head`
            raise
        except Exception as failure:
            return report_failure(options.command, failure, options)


def build_parser(loaded: Set[str] = COMMANDS.keys()) -> Parser:
    """Build the command line's parser.

    Args:
        loaded: the subcommands whose options are wanted. Only their modules are imported.
    """
    parser = Parser(
        prog="pennyworth",
        description="Your own OpenAI-compatible LLM endpoint, in your own AWS account.",
        epilog=f"Environments, packages and logs are kept in the work folder, {work_dir()}. You can delete it at any"
        f" time. {VARIABLE} sets another.",
    )
    parser.add_argument("--version", action="version", version=f"pennyworth {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        module = _load(name) if name in loaded else None
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=module.__doc__ if module else summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if module:
            module.arguments(subparser)
            subparser.set_defaults(run=module.run, failed=getattr(module, "FAILED", 1))
    return parser


def _load(command: str) -> ModuleType:
    return importlib.import_module(f"pennyworth.cli.{command.replace('-', '_')}")
