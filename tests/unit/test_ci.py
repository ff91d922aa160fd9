"""CI spreads the parts over several machines: none is left out on either architecture, or on either Python."""

from itertools import product
from typing import Any

import pytest
import yaml
from tests.__main__ import BY_NAME, parts

from pennyworth.host.places import ROOT

JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
MACHINES: list[dict[str, str]] = JOBS["test"]["strategy"]["matrix"]["include"]
RUNNERS, PYTHONS = {"ubuntu-latest", "ubuntu-24.04-arm"}, {"3.11", "3.13"}
WITH_COMPILED_WHEELS = {"gateway", "local", "e2e"}


def run_on(**machine: str) -> list[str]:
    """The parts that run on machines like that."""
    return [part for one in MACHINES if machine.items() <= one.items() for part in one["parts"].split()]


@pytest.mark.parametrize(
    "machine", [*({"runner": name} for name in RUNNERS), *({"python": name} for name in PYTHONS)], ids=str
)
def test_every_part_runs_on_every_architecture_and_every_python(machine: dict[str, str]) -> None:
    assert set(run_on(**machine)) == set(parts()) - {"lint"} - BY_NAME


@pytest.mark.parametrize(("runner", "python"), list(product(sorted(RUNNERS), sorted(PYTHONS))))
def test_what_loads_compiled_wheels_runs_on_every_pair(runner: str, python: str) -> None:
    found = run_on(runner=runner, python=python)
    assert set(found) >= WITH_COMPILED_WHEELS
    assert len(found) == len(set(found)), "no part twice on one kind of machine"


def test_nothing_else_is_in_the_matrix_and_all_jobs_are_waited_for() -> None:
    assert {one["runner"] for one in MACHINES} == RUNNERS
    assert {one["python"] for one in MACHINES} == PYTHONS
    assert "make lint" in [step.get("run") for step in JOBS["lint"]["steps"]]
    assert set(JOBS["passed"]["needs"]) == set(JOBS) - {"passed"}


@pytest.mark.parametrize("part", sorted(BY_NAME))
def test_what_runs_only_by_name_has_a_workflow_of_its_own(part: str) -> None:
    workflow = yaml.safe_load((ROOT / f".github/workflows/{part}.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert f"make test ARGS={part}" in [step.get("run") for step in steps]
