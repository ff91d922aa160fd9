"""Write out everything you need to deploy your endpoint without this project.

    pennyworth eject --to ../my-endpoint

Writes the CloudFormation template, the function's sources with locked requirements and your configuration, the
IAM policies, and a GitHub workflow made of plain aws, sam and uv commands. The workflow updates the stack that
you already have. Without --to, it lists the files and writes nothing.
"""

import argparse
import importlib.util
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pennyworth.cli.environment import go_on_in
from pennyworth.cli.output import json_option, print_json
from pennyworth.host.errors import OperationFailed
from pennyworth.host.progress import say
from pennyworth.pipeline.build import Target

if TYPE_CHECKING:
    from pennyworth.setup.eject import Ejected


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="write the files to this folder, which must be empty or not exist",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the LiteLLM configuration (default: config.yaml, if it exists)",
    )
    parser.add_argument(
        "--model-provider",
        default="",
        metavar="NAME",
        help="the provider, if there is no configuration (default: the template's)",
    )
    parser.add_argument(
        "--python", metavar="X.Y", help="the function's Python version (default: the template's)"
    )
    parser.add_argument(
        "--architecture",
        choices=["arm64", "x86_64"],
        help="the function's architecture (default: the template's)",
    )
    json_option(parser, "the files")


def run(options: argparse.Namespace) -> int:
    """List the files and, with --to, write them. Returns the exit status."""
    if importlib.util.find_spec("yaml") is None:
        go_on_in("gateway")
    from pennyworth.checks.config import StackSettings, check, render
    from pennyworth.setup import eject

    default = Path("config.yaml")
    config = options.config or (default if default.exists() else None)
    report = check(config, os.environ, StackSettings({"ModelProvider": options.model_provider}))
    if report.failed():
        raise OperationFailed(f"fix {config or 'the provider'} first:\n{render.render_findings(report)}")
    base = Target.from_environ({})
    try:
        target = Target(options.python or base.python, options.architecture or base.architecture)
        listed = eject.files(target, config, report, options.model_provider)
        if options.to:
            eject.write(listed, options.to)
    except (FileExistsError, NotADirectoryError, ValueError) as error:
        raise OperationFailed(str(error)) from error
    if options.json:
        files = [{"path": file.path, "bytes": len(file.content)} for file in listed]
        print_json({"folder": options.to, "files": files})
    else:
        print(_shown(listed))
    say(
        f"Written to {options.to}. Its README.md describes the next steps."
        if options.to
        else "Nothing was written. Add --to FOLDER to write the files."
    )
    sys.stdout.flush()
    return 0


def _shown(listed: "list[Ejected]") -> str:
    """List the number of lines and files in each folder."""
    lines: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for file in listed:
        place = str(file.path) if len(file.path.parts) == 1 else f"{file.path.parts[0]}/"
        lines[place] += file.content.count(b"\n")
        count[place] += 1
    width = max(map(len, lines))
    return "\n".join(
        f"{place:{width}}  {lines[place]:6,} lines"
        + (f" in {count[place]} files" if count[place] > 1 else "")
        for place in sorted(lines)
    )
