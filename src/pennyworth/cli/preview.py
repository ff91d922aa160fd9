"""Show what a deployment would change, which permissions it would add and what it would cost. Changes nothing.

CloudFormation compares the template with the deployed stack in a change set, which is then deleted. Nothing is
uploaded. Parameters that you don't give keep the deployed stack's values. Needs AWS credentials with the permissions in
policies/view.json.

  pennyworth build      # prints the built template's path
  pennyworth preview --stack-name endpoint --template PATH --parameter MemorySize=512
"""

import argparse
from pathlib import Path

from pennyworth.cli import stack
from pennyworth.cli.output import Misused, json_option, print_result


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    add = parser.add_argument
    add(
        "--template",
        type=Path,
        required=True,
        metavar="PATH",
        help="the built template; `pennyworth build` prints its path",
    )
    stack.parameter_option(parser)
    add("--hide", action="store_true", help="replace secrets with ***, to show the preview to others")
    json_option(parser, "the preview")


def run(options: argparse.Namespace) -> int:
    """Preview. Returns 0 if that worked, whatever would change."""
    stack.require(options)
    if not options.template.is_file():
        raise Misused(f"{options.template} does not exist. `pennyworth build` creates a template")
    stack.connect(options)
    from pennyworth.pipeline.preview import Inputs, as_json, as_markdown, preview

    found = preview(
        Inputs.by_hand(
            options.template, options.stack_name, options.region, dict(options.parameter), hide=options.hide
        )
    )
    print_result(as_json(found) if options.json else as_markdown(found))
    return 0
