"""Say what deploying a template would do, without doing it: what changes, who may newly do what, what it costs.

CloudFormation is asked with a change set, which is deleted again; nothing is uploaded. Parameters that you do not give
stay what the deployed stack has. The credentials are those of the environment; policies/view.json is enough.

  pennyworth build      # prints the built template's path
  pennyworth preview --stack-name endpoint --template .pennyworth/build/.../template.yaml --parameter MemorySize=512
"""

import argparse
import sys
from pathlib import Path

from pennyworth.cli import stack
from pennyworth.cli.environment import go_on_in
from pennyworth.host.progress import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    add = parser.add_argument
    add(
        "--template",
        type=Path,
        required=True,
        metavar="PATH",
        help="the built template, whose path `pennyworth build` prints",
    )
    add(
        "--parameter",
        action="append",
        default=[],
        type=_parameter,
        metavar="NAME=VALUE",
        help="a stack parameter, such as MemorySize=512; repeatable",
    )
    add("--hide", action="store_true", help="*** for what is secret: to show it to others")
    add("--json", action="store_true", help="print it as JSON, not as Markdown")


def run(options: argparse.Namespace) -> int:
    """Look; 0 where it can be said, whatever would change."""
    if not stack.named("preview", options):
        return 2
    if not options.template.is_file():
        say(f"pennyworth preview: {options.template} is no file: `pennyworth build` makes a template")
        return 2
    go_on_in("tools")
    from pennyworth.host.errors import OperationFailed
    from pennyworth.pipeline.preview import Inputs, as_json, as_markdown, preview

    try:
        found = preview(
            Inputs.by_hand(
                options.template,
                options.stack_name,
                options.region,
                dict(options.parameter),
                hide=options.hide,
            )
        )
    except OperationFailed as failure:
        say(str(failure))
        return 1
    print(as_json(found) if options.json else as_markdown(found))
    sys.stdout.flush()
    return 0


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"NAME=VALUE is expected, not {text}")
    return name, value
