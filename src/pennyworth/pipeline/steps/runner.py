"""Runs a step in the environment that it needs, times it, and reports it on the run's page."""

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pennyworth.github import actions, timings
from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed

_UNUSED = ("awscrt", "urllib3.contrib.pyopenssl")
"""What botocore imports where sam has brought it, which takes a third of a second. No step uses it: AWS's signatures
for several regions at once, checksums in C, `aws login`, and TLS in the place of Python's own."""


def run_step(package: str, name: str) -> int:
    """Run a step.

    Args:
        package: what was started with `python -m`, such as `pennyworth.pipeline.steps`.
        name: of the step's module in it, with hyphens for underscores.
    Returns:
        the exit status.
    """
    began = time.monotonic()
    title = name.replace("-", " ").capitalize()
    try:
        _strip_environment()
        _enter_tools(package, name)
        step = importlib.import_module(f"{package}.{name.replace('-', '_')}")
        title = step.TITLE
        run: Callable[[dict[str, str]], str] = step.run
        # what led to these modules is not for the programs that a step runs
        report = run({name: value for name, value in os.environ.items() if name != "PYTHONPATH"})
        mark, status = "✅", 0
    except Exception as failure:
        from pennyworth.pipeline.failures import explain  # nobody needs it where all is well

        report, mark, status = _failed(explain(failure)), "❌", 1
    seconds = time.monotonic() - began
    if report:
        actions.summary(f"### {mark} {title} ({actions.duration(seconds)})\n\n{report}")
        timings.note(f"{mark} {title}", seconds)
    return status


def _strip_environment() -> None:
    """Strip white space around all variables, such as the line end of a pasted secret: boto3 and sam read some, too."""
    for name, value in list(os.environ.items()):
        if value != value.strip():
            os.environ[name] = value.strip()


def _enter_tools(package: str, name: str) -> None:
    """Go on in the environment with AWS's libraries."""
    tools = environment("tools")
    if Path(sys.prefix).resolve() != tools.parent.resolve():
        python = tools / "python"
        # the same program again, where its libraries are
        os.execv(python, [str(python), "-m", package, name])  # noqa: S606
    for unused in _UNUSED:
        sys.modules.setdefault(unused, None)  # type: ignore[arg-type]  # makes an import raise ImportError


def _failed(failure: OperationFailed) -> str:
    actions.error(failure.title, f"{failure.message}\n{failure.detail}".strip())
    if failure.report:
        return failure.report
    detail = f"\n\n```text\n{failure.detail}\n```" if failure.detail else ""
    return f"**{failure.title}.** {failure.message}{detail}"
