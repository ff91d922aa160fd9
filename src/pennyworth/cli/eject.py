"""What you would have to own to leave: all that deploys your endpoint, without this project.

Shows it, and with --to writes it: the stack's template, the sources of the function's package with its locked
requirements and your configuration, the policies, and a workflow with every step as plain aws, sam and uv commands. It
deploys onto the stack that you have.
"""

import argparse
import importlib.util
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pennyworth.cli.environment import go_on_in
from pennyworth.host.places import ROOT
from pennyworth.host.progress import say
from pennyworth.pipeline.build import Target

if TYPE_CHECKING:
    from pennyworth.setup.eject import Ejected


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="write it there; empty or absent")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration (default: config.yaml, if there is one)",
    )
    parser.add_argument(
        "--model-provider", default="", metavar="NAME", help="who answers where there is none"
    )
    parser.add_argument("--python", metavar="X.Y", help="the function's Python (default: the template's)")
    parser.add_argument(
        "--architecture", choices=["arm64", "x86_64"], help="its processor (default: the template's)"
    )


def run(options: argparse.Namespace) -> int:
    """Show what it is, and write it where that is asked for."""
    if not (ROOT / "template.yaml").exists():
        say(
            "pennyworth eject: this works in a checkout of the project: clone the repository and run it there."
        )
        return 1
    if importlib.util.find_spec("yaml") is None:
        go_on_in("gateway")
    from pennyworth.checks.config import StackSettings, check, render
    from pennyworth.setup import eject

    default = Path("config.yaml")
    config = options.config or (default if default.exists() else None)
    report = check(config, os.environ, StackSettings({"ModelProvider": options.model_provider}))
    if report.failed():
        say(f"pennyworth eject: {config or 'the provider'} would not serve:\n{render.findings(report)}")
        return 1
    base = Target.from_environ({})
    try:
        target = Target(options.python or base.python, options.architecture or base.architecture)
        listed = eject.files(target, config, report, options.model_provider)
        if options.to:
            eject.write(listed, options.to)
    except (FileExistsError, NotADirectoryError, ValueError) as error:
        say(f"pennyworth eject: {error}")
        return 1
    print(_shown(listed))
    say(
        f"Written to {options.to}. Its README.md says how to change over."
        if options.to
        else "Nothing was written: --to FOLDER writes it."
    )
    sys.stdout.flush()
    return 0


def _shown(listed: "list[Ejected]") -> str:
    """What there is, by folder."""
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
