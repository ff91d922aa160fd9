"""The summary of a job: the result first, whatever the order of its steps."""

import re
import time
from pathlib import Path

import pytest

from pennyworth.github import job_report
from pennyworth.github.job_report import Part, Report


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def part(title: str, seconds: float = 1, *, ago: float = 20, passed: bool = True, **told: str) -> Part:
    return Part(title, time.time() - ago, seconds, passed, Report(**told))


def test_a_step_by_itself_writes_its_own_summary(summary: Path) -> None:
    job_report.add(part("Package", text="It is small."))
    job_report.add(part("Settings"))
    assert summary.read_text() == "### ✅ Package (1.0 s)\n\nIt is small.\n\n"
    assert job_report.finish() == []


def test_the_steps_of_a_job_wait_for_its_end(summary: Path) -> None:
    job_report.begin()
    parts = [part("Settings", place="`a` in b"), part("Package", text="It is small.")]
    for one in parts:
        job_report.add(one)
    assert not summary.exists()
    assert job_report.finish() == parts
    job_report.add(parts[1])
    assert "It is small." in summary.read_text()


def test_results_come_first() -> None:
    parts = [
        part("Settings", place="`a` in b", ago=65),
        part("Package", text="built"),
        part("Deployment", text="made", headline="Version 2 serves", place="<https://c>"),
    ]
    lines = job_report.as_markdown(parts, ["Deployment"], "Done").splitlines()
    assert lines[0] == "## ✅ Version 2 serves"
    assert lines[2] == "<https://c> · 1 min 5 s"
    assert [line for line in lines if line.startswith("###")] == [
        "### ✅ Deployment (1.0 s)",
        "### ✅ Package (1.0 s)",
        "### How long it took",
    ]


def test_a_failure_comes_before_all() -> None:
    parts = [
        part("Deployment", text="made", headline="Version 2 serves", place="<https://c>"),
        part("PassRole", text="no", headline="AWS refuses a call", passed=False, ago=3),
    ]
    lines = job_report.as_markdown(parts, ["Deployment"], "Done").splitlines()
    assert lines[0] == "## ❌ AWS refuses a call"
    assert lines[2] == "<https://c> · failed in *PassRole* after 20.0 s"
    assert lines[4] == "### ❌ PassRole (1.0 s)"


def test_times_add_up() -> None:
    parts = [part("Settings", 6.5, ago=20), part("Package", 3.5, text="built"), part("Old versions", 1)]
    text = job_report.as_markdown(parts, [], "Done")
    times = [float(found) for found in re.findall(r"\| ([\d.]+) s \|", text)]
    assert times == [6.5, 3.5, 1, 9]
    assert "| **total** | **20.0 s** |" in text
