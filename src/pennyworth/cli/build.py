"""Build the function's package with `sam build`.

Without options for Lambda, as the template's defaults have it. The built template and the package beside it are
what `sam deploy` takes; give it the printed parameters.
"""

import argparse
import os
import sys
from pathlib import Path

from pennyworth.host.environments import EnvironmentUnavailable
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.pipeline.build import LITELLM, Inputs, Target, build_package


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    default = Target.from_environ({})
    parser.add_argument("--config", type=Path, metavar="FILE", help="a LiteLLM config.yaml to pack")
    parser.add_argument("--here", action="store_true", help="for this interpreter and machine")
    parser.add_argument("--python", metavar="X.Y", help=f"the function's Python (default {default.python})")
    parser.add_argument(
        "--architecture",
        choices=["arm64", "x86_64"],
        help=f"the function's processor (default {default.architecture})",
    )
    parser.add_argument(
        "--litellm",
        choices=["auto", "yes", "no"],
        default="auto",
        help="pack LiteLLM: auto does where a model of the configuration needs it, or where there is none",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to (default below .pennyworth/build/)"
    )


def run(options: argparse.Namespace) -> int:
    """Build, and print the built template's path and the parameters to deploy it with."""
    base = Target.here() if options.here else Target.from_environ({})
    try:
        target = Target(options.python or base.python, options.architecture or base.architecture, base.system)
        out = options.out or made("build") / f"{target.python}-{target.architecture}-{target.system}"
        provider = os.environ.get("LITELLM_MODEL_PROVIDER", "")
        package = build_package(Inputs(target, out, options.config, LITELLM[options.litellm], provider))
    except OperationFailed as failure:
        print(failure.detail, file=sys.stderr)
        return 1
    except (EnvironmentUnavailable, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(package.template)
    print(" ".join(f"{name}={value}" for name, value in target.parameters().items()))
    return 0
