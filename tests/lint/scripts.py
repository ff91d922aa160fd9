"""Scripts inside workflows and composite actions. Run as `python -m tests.lint.scripts FILE ...`.

Two rules. Nothing is pasted into a script: values reach the shell through `env:`. And shellcheck reads the scripts of
composite actions, which actionlint passes over (those of workflows it hands to shellcheck itself).
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pennyworth.host.environments import environment

_SHELLS = {"bash": "bash", "sh": "sh"}  # GitHub's name of a shell, and shellcheck's


def main(files: Sequence[str]) -> int:
    """Print what is wrong with the scripts in these files.

    Args:
        files: workflows and actions.
    Returns:
        the exit status.
    """
    problems = [problem for file in files for problem in _problems(Path(file))]
    print("\n".join(problems))
    return bool(problems)


def _problems(file: Path) -> Iterator[str]:
    document = yaml.safe_load(file.read_text())
    runs = document.get("runs", {})
    composite = runs.get("using") == "composite"
    jobs = [runs] if composite else document.get("jobs", {}).values()
    steps = [step for job in jobs for step in job.get("steps", []) if "run" in step]
    for number, step in enumerate(steps, 1):
        where = f"{file}, {step.get('name') or step.get('id') or f'script {number}'}"
        if "${{" in step["run"]:
            yield f"{where}: pastes ${{{{ }}}} into a script; pass it through env:"
        elif composite:
            yield from _shellcheck(where, step)


def _shellcheck(where: str, step: Mapping[str, Any]) -> Iterator[str]:
    shell = _SHELLS.get(step.get("shell", ""))
    if not shell:
        yield f"{where}: its shell must be one of {', '.join(_SHELLS)}, so that it can be checked"
        return
    done = subprocess.run(
        [environment("lint") / "shellcheck", "--shell", shell, "-"],
        input=step["run"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        yield f"{where}:{done.stdout}{done.stderr}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
