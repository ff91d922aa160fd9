"""Check a LiteLLM config file before you deploy it, or make one that works here from the one of your LiteLLM proxy."""

import argparse
import importlib.util
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.cli.output import Misused, json_option, print_json, print_result
from pennyworth.host.errors import OperationFailed
from pennyworth.host.progress import say

if TYPE_CHECKING:
    from pennyworth.setup.config_import import Imported, Step

_CHECK = """\
Check a LiteLLM config file before you deploy it.

    pennyworth config check config.yaml --credentials provider.env --parameter MemorySize=256

Grades each key: exact, approximate, manual, unsupported or harmless. Shows, with line numbers, how it differs and what
to do, which lane each model takes and why, which variables are missing, and what else would not work. A key that
protects people, such as guardrails, is an error until pennyworth_settings.acknowledged in the file names it. The check
looks for variables in this shell's environment and in the file that --credentials names, which has the format of
PROVIDER_CREDENTIALS. It never shows their values. The exit status is 1 if there are errors, and with --strict also if
there are warnings.
"""
_IMPORT = """\
Make a config file that works here from the one of your LiteLLM proxy.

    pennyworth config import ../litellm/config.yaml --output config.yaml

Takes a config.yaml, also with `include`, Helm's values (proxy_config) or a Kubernetes ConfigMap. Writes the same
configuration, with its comments and order, and

- leaves out keys that have no effect here, and models that no endpoint here serves;
- puts os.environ/NAME in the place of secrets, and never writes or shows them;
- keeps keys that protect people, such as guardrails. They are errors until you remove or acknowledge them.

Lists what it changed and dropped, and what is left to do by hand. The file that you import stays as it is.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="show what becomes of each key, where the models go, and what is missing",
        description=_CHECK,
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
    imports = actions.add_parser(
        "import",
        help="make a file that works here from the one of your LiteLLM proxy",
        description=_IMPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    imports.add_argument("file", type=Path, metavar="FILE", help="the file of your LiteLLM proxy")
    imports.add_argument(
        "--output",
        type=Path,
        default=Path("config.yaml"),
        metavar="FILE",
        help="the file to write (default: config.yaml)",
    )
    imports.add_argument("--force", action="store_true", help="replace the file to write if it exists")
    json_option(imports, "what was changed, dropped and is left to do")


def run(options: argparse.Namespace) -> int:
    """Check or import. Returns the exit status."""
    if importlib.util.find_spec("yaml") is None:
        go_on_in("gateway")
    return _import(options) if options.action == "import" else _check(options)


def _check(options: argparse.Namespace) -> int:
    """Check, and print what was found."""
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


def _import(options: argparse.Namespace) -> int:
    """Write the new file, and print what became of the old one."""
    from pennyworth.setup.config_import import import_config

    if options.output.exists() and not options.force:
        raise OperationFailed(
            f"{options.output} exists. Choose another --output, or add --force to replace it"
        )
    imported = import_config(options.file)
    try:
        options.output.write_text(imported.text, encoding="utf-8")
    except OSError as error:
        raise OperationFailed(f"{options.output}: {error.strerror}") from error
    if options.json:
        steps = {name: value for name, value in asdict(imported).items() if name != "text"}
        named = {name: [step._asdict() for step in value] for name, value in steps.items()}
        print_json({"file": str(options.output), **named})
    else:
        print_result(_describe(imported))
    say(f"{options.output} is written. Check it: pennyworth config check {options.output}")
    return 0


def _describe(imported: "Imported") -> str:
    parts = [
        _list("Changed", imported.changed),
        _list("Dropped, because it has no effect here", imported.dropped),
        _list("Left to do", imported.left),
    ]
    return "\n\n".join(filter(None, parts)) or "Nothing had to change."


def _list(title: str, steps: "tuple[Step, ...]") -> str:
    lines = [f"- {step.setting}{': ' if step.setting else ''}{step.says}" for step in steps]
    return "\n".join([f"{title}:", *lines]) if lines else ""
