"""Runs a step in the environment that it needs, times it, and reports it on the run's page."""

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pennyworth.github import actions
from pennyworth.github.job_report import Part, Report, add
from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed

_BEGAN = "PENNYWORTH_STEP_BEGAN"
"""The variable that hands on when a step began, before it had its environment."""

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
    began = float(os.environ.pop(_BEGAN, "") or time.time())
    title = name.replace("-", " ").capitalize()
    passed = False
    try:
        _strip_environment()
        _enter_tools(package, name, began)
        step = importlib.import_module(f"{package}.{name.replace('-', '_')}")
        title = step.TITLE
        run: Callable[[dict[str, str]], str | Report] = step.run
        # what led to these modules is not for the programs that a step runs
        report = run({name: value for name, value in os.environ.items() if name != "PYTHONPATH"})
        passed = True
    except Exception as failure:
        from pennyworth.pipeline.failures import explain  # nobody needs it where all is well

        report = _failed(explain(failure))
    report = Report(report) if isinstance(report, str) else report
    add(Part(title, began, time.time() - began, passed, report))
    return 0 if passed else 1


def _strip_environment() -> None:
    """Strip white space around all variables, such as the line end of a pasted secret: boto3 and sam read some, too."""
    for name, value in list(os.environ.items()):
        if value != value.strip():
            os.environ[name] = value.strip()


def _enter_tools(package: str, name: str, began: float) -> None:
    """Go on in the environment with AWS's libraries."""
    tools = environment("tools")
    if Path(sys.prefix).resolve() != tools.parent.resolve():
        python = tools / "python"
        os.environ[_BEGAN] = str(began)
        # the same program again, where its libraries are
        os.execv(python, [str(python), "-m", package, name])  # noqa: S606
    for unused in _UNUSED:
        sys.modules.setdefault(unused, None)  # type: ignore[arg-type]  # makes an import raise ImportError


def _failed(failure: OperationFailed) -> Report:
    actions.error(failure.title, f"{failure.message}\n{failure.detail}".strip())
    if failure.report:
        return Report(failure.report, failure.title)
    detail = f"\n\n```text\n{failure.detail}\n```" if failure.detail else ""
    return Report(f"**{failure.title}.** {failure.message}{detail}", failure.title)
