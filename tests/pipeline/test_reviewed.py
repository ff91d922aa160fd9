"""deploy.yml takes a configuration only from what the run's branch contains, unless an environment's rules judge it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pennyworth.host.environments import clean_environ
from pennyworth.host.places import ROOT

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["deploy"]["steps"]
(STEP,) = (step for step in STEPS if "merge-base" in step.get("run", ""))


@pytest.fixture
def commits(tmp_path: Path) -> dict[str, str]:
    """A repository with main, an older commit of it, and a branch that is not merged."""

    def git(*words: str) -> str:
        identity = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet", "--initial-branch", "main")
    found = {}
    for name in ("older", "main"):
        git("commit", "--quiet", "--allow-empty", "--message", name)
        found[name] = git("rev-parse", "HEAD")
    git("checkout", "--quiet", "-b", "other", found["older"])
    git("commit", "--quiet", "--allow-empty", "--message", "other")
    return found | {"other": git("rev-parse", "HEAD")}


@pytest.mark.parametrize(("taken", "status"), [("main", 0), ("older", 0), ("other", 1)])
def test_a_commit_that_the_branch_does_not_contain_is_refused(
    commits: dict[str, str], tmp_path: Path, taken: str, status: int
) -> None:
    subprocess.run(["git", "checkout", "--quiet", commits[taken]], cwd=tmp_path, check=True)
    summary = tmp_path / "summary"
    done = subprocess.run(
        ["bash", "-c", STEP["run"]],
        cwd=tmp_path,
        env=clean_environ() | {"GITHUB_SHA": commits["main"], "GITHUB_STEP_SUMMARY": str(summary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert ("::error title=The commit in ref" in done.stdout) is bool(status)
    assert summary.exists() is bool(status)


def test_it_comes_before_anything_is_deployed_and_leaves_environments_to_their_rules() -> None:
    assert STEP["if"] == "inputs.ref && !inputs.environment"
    names = [step["name"] for step in STEPS]
    assert names.index(STEP["name"]) < names.index("Deploy the endpoint")
    checkout = next(step for step in STEPS if "checkout" in step.get("uses", ""))
    assert checkout["with"]["fetch-depth"] == "${{ inputs.ref && '0' || '1' }}"
