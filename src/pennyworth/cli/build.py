"""Build the Lambda function's package with `sam build`.

    pennyworth build --config config.yaml

Prints the path of the built template, and the parameters to pass to `sam deploy` with it. By default the
package is built for the Python version and architecture that template.yaml uses.
"""

import argparse
import os
from pathlib import Path

from pennyworth.cli.output import json_option, print_json
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.pipeline.build import FUNCTION, LITELLM, Inputs, Target, build_package


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    default = Target.from_environ({})
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a LiteLLM config.yaml to include (default: none)"
    )
    parser.add_argument(
        "--here", action="store_true", help="build for this machine and the Python that runs this command"
    )
    parser.add_argument(
        "--python", metavar="X.Y", help=f"the function's Python version (default: {default.python})"
    )
    parser.add_argument(
        "--architecture",
        choices=["arm64", "x86_64"],
        help=f"the function's architecture (default: {default.architecture})",
    )
    parser.add_argument(
        "--litellm",
        choices=["auto", "yes", "no"],
        default="auto",
        help="include LiteLLM; auto includes it if a model needs it or there is no --config (default: auto)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="the output folder (default: one in the work folder, which `pennyworth --help` names)",
    )
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Build the package. Print the built template's path and the parameters to deploy it with."""
    base = Target.here() if options.here else Target.from_environ({})
    try:
        target = Target(options.python or base.python, options.architecture or base.architecture, base.system)
        out = options.out or made("build") / f"{target.python}-{target.architecture}-{target.system}"
        provider = os.environ.get("LITELLM_MODEL_PROVIDER", "")
        package = build_package(Inputs(target, out, options.config, LITELLM[options.litellm], provider))
    except ValueError as error:
        raise OperationFailed(str(error)) from error
    if options.json:
        print_json(
            {
                "template": package.template,
                "package": package.template.parent / FUNCTION,
                "archive": package.archive,
                "digest": package.digest,
                "bytes": package.bytes,
                "parameters": target.parameters(),
            }
        )
        return 0
    print(package.template)
    print(" ".join(f"{name}={value}" for name, value in target.parameters().items()))
    return 0
