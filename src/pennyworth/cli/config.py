"""Check a LiteLLM config file before it is deployed.

    pennyworth config check config.yaml

Says, with line numbers, what of it is honoured and what has no effect, which lane each model takes and why, which
variables are missing, and what else would not work. Variables are looked for in this shell's environment and in the
file that --credentials names, which is read as PROVIDER_CREDENTIALS is; their values are never shown. The exit status
is 1 where there are errors, and with --strict where there are warnings.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from pennyworth.cli.environment import go_on_in
from pennyworth.host.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="what of a file is honoured, where its models go, and what is missing",
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
    add("--credentials", type=Path, metavar="FILE", help="further variables, one NAME=value a line")
    add("--strict", action="store_true", help="take warnings for errors")
    stack = check.add_argument_group("what is known of the stack")
    stack.add_argument("--bedrock-access", choices=["automatic", "yes", "no"], default="")
    stack.add_argument("--model-provider", default="", metavar="NAME")
    stack.add_argument("--python-runtime", default="", metavar="RUNTIME", help="such as python3.13")
    stack.add_argument("--memory-size", default="", metavar="MIB")
    stack.add_argument("--litellm", choices=["auto", "yes", "no"], default="", help="whether it is packed")
    output = check.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the findings as JSON")
    output.add_argument("--markdown", action="store_true", help="print them in Markdown")


def run(options: argparse.Namespace) -> int:
    """Check, and print what was found."""
    if importlib.util.find_spec("yaml") is None:
        go_on_in("gateway")
    from pennyworth.checks.config import StackSettings, check, render
    from pennyworth.gateway.settings import expand_credentials

    environ = dict(os.environ)
    if options.credentials:
        try:
            environ["PROVIDER_CREDENTIALS"] = options.credentials.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            say(f"pennyworth config check: {options.credentials}: {error}")
            return 2
    expand_credentials(environ)
    stack = StackSettings(
        options.model_provider,
        options.bedrock_access,
        options.python_runtime,
        options.memory_size,
        options.litellm,
    )
    report = check(options.file, environ, stack)
    as_wanted = render.as_json if options.json else render.as_markdown if options.markdown else render.as_text
    print(as_wanted(report))
    sys.stdout.flush()
    return int(report.failed(strict=options.strict))
