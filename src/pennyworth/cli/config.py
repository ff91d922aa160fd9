"""Check a LiteLLM config file before you deploy it.

    pennyworth config check config.yaml --credentials provider.env --parameter MemorySize=256

Shows, with line numbers, which settings have an effect, which lane each model takes and why, which variables are
missing, and what else would not work. The check looks for variables in this shell's environment and in the file that
--credentials names, which has the format of PROVIDER_CREDENTIALS. It never shows their values. The exit status is 1 if
there are errors, and with --strict also if there are warnings.
"""

import argparse
import importlib.util
import os
from pathlib import Path

from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.cli.output import Misused, json_option, print_result
from pennyworth.host.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="show what of a file has an effect, where its models go, and what is missing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = check.add_argument
    add(
        "file",
        type=Path,
        nargs="?",
        default=Path("config.yaml"),
        metavar="FILE",
        help="(default: config.yaml)",
    )
    add(
        "--credentials",
        type=Path,
        metavar="FILE",
        help="more variables, in the format of PROVIDER_CREDENTIALS",
    )
    add("--strict", action="store_true", help="treat warnings as errors")
    known = check.add_argument_group("what you know about the stack")
    stack.parameter_option(known)
    known.add_argument(
        "--litellm", choices=["auto", "yes", "no"], default="", help="whether the package includes LiteLLM"
    )
    output = check.add_mutually_exclusive_group()
    json_option(output, "the report")
    output.add_argument("--markdown", action="store_true", help="print Markdown")


def run(options: argparse.Namespace) -> int:
    """Check, and print what was found."""
    if importlib.util.find_spec("yaml") is None:
        go_on_in("gateway")
    from pennyworth.checks.config import READ, StackSettings, check, render
    from pennyworth.gateway.settings import expand_credentials

    environ = dict(os.environ)
    if options.credentials:
        try:
            environ["PROVIDER_CREDENTIALS"] = options.credentials.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Misused(f"{options.credentials}: {error}") from error
    problems = expand_credentials(environ, stored=True)
    for name, _ in options.parameter:
        if name not in READ:
            say(f"pennyworth config check: {name} has no effect on this check. {', '.join(READ)} have")
    stack_settings = StackSettings(dict(options.parameter), options.litellm)
    report = check(options.file, environ, stack_settings, problems=problems)
    as_wanted = render.as_json if options.json else render.as_markdown if options.markdown else render.as_text
    print_result(as_wanted(report))
    return int(report.failed(strict=options.strict))
