"""Run a step in the environment that it needs, time it, and report it on the run's page."""

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pennyworth.host.environments import environment
from pennyworth.pipeline import timings, workflow

_REFUSED = (
    "AWS refuses a call",
    "Where it says AccessDenied, `pennyworth bootstrap` brings the role what policies/ has; else run this again.",
)


def main(name: str) -> int:
    """Run a step.

    Args:
        name: its module's name, with hyphens for underscores.
    Returns:
        the exit status.
    """
    tools = environment("tools")
    if Path(sys.prefix).resolve() != tools.parent.resolve():
        python = tools / "python"
        # the same program again, where its libraries are
        os.execv(python, [str(python), "-m", "pennyworth.pipeline.steps", name])  # noqa: S606
    from botocore.exceptions import BotoCoreError, ClientError  # a library of that environment

    step = importlib.import_module(f"pennyworth.pipeline.steps.{name.replace('-', '_')}")
    run: Callable[[dict[str, str]], str] = step.run
    began = time.monotonic()
    try:
        # what led to these modules is not for the programs that a step runs
        report = run({name: value for name, value in os.environ.items() if name != "PYTHONPATH"})
        mark, status = "✅", 0
    except workflow.StepFailed as failure:
        report, mark, status = _failed(failure), "❌", 1
    except (ClientError, BotoCoreError) as failure:
        report, mark, status = _failed(workflow.StepFailed(*_REFUSED, str(failure))), "❌", 1
    seconds = time.monotonic() - began
    if report:
        workflow.summary(f"### {mark} {step.TITLE} ({workflow.duration(seconds)})\n\n{report}")
        timings.note(f"{mark} {step.TITLE}", seconds)
    return status


def _failed(failure: workflow.StepFailed) -> str:
    workflow.error(failure.title, f"{failure.message}\n{failure.detail}".strip())
    if failure.report:
        return failure.report
    detail = f"\n\n```text\n{failure.detail}\n```" if failure.detail else ""
    return f"**{failure.title}.** {failure.message}{detail}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
