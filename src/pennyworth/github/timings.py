"""Records how long each step of a job takes, and shows all of them in a table at the end of the job."""

import json
import os
from pathlib import Path

from pennyworth.github import actions

_FILE = "pennyworth-timings.jsonl"
_CELLS = 20


def note(title: str, seconds: float) -> None:
    """Record how many seconds a step took, for later steps. Outside GitHub Actions, does nothing."""
    if file := _file():
        with file.open("a", encoding="utf-8") as log:
            print(json.dumps([title, seconds]), file=log)


def as_markdown() -> str:
    """Return the recorded times as a Markdown table with bars; empty if there are none."""
    file = _file()
    if not file or not file.exists():
        return ""
    noted: list[tuple[str, float]] = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    longest = max(seconds for _, seconds in noted) or 1.0
    rows = [
        (title, actions.duration(seconds), "█" * round(_CELLS * seconds / longest) or "▏")
        for title, seconds in noted
    ]
    rows.append(("total", actions.duration(sum(seconds for _, seconds in noted)), ""))
    return actions.table(("step", "time", ""), rows)


def _file() -> Path | None:
    # the runner empties this folder before and after each job:
    # https://docs.github.com/actions/reference/workflows-and-actions/variables
    folder = os.environ.get("RUNNER_TEMP")
    return Path(folder, f"{os.environ.get('GITHUB_RUN_ID', '')}-{_FILE}") if folder else None
