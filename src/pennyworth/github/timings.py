"""How long each step of a job took: each notes its own, and at the job's end they are drawn as one table."""

import json
import os
from pathlib import Path

from pennyworth.github import actions

_FILE = "pennyworth-timings.jsonl"
_CELLS = 20


def note(title: str, seconds: float) -> None:
    """Note how long a step took, for the job's later steps. Away from GitHub nothing is noted."""
    if file := _file():
        with file.open("a", encoding="utf-8") as log:
            print(json.dumps([title, seconds]), file=log)


def as_markdown() -> str:
    """What has been noted in this job, in order, as a table with bars; empty where nothing has."""
    file = _file()
    if not file or not file.exists():
        return ""
    noted: list[tuple[str, float]] = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    longest = max(seconds for _, seconds in noted) or 1.0
    rows = [
        (title, actions.duration(seconds), "█" * round(_CELLS * seconds / longest) or "▏")
        for title, seconds in noted
    ]
    rows.append(("together", actions.duration(sum(seconds for _, seconds in noted)), ""))
    return actions.table(("step", "time", ""), rows)


def _file() -> Path | None:
    # the runner empties this folder before and after each job:
    # https://docs.github.com/actions/reference/workflows-and-actions/variables
    folder = os.environ.get("RUNNER_TEMP")
    return Path(folder, f"{os.environ.get('GITHUB_RUN_ID', '')}-{_FILE}") if folder else None
