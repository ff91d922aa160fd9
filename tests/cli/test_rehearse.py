"""`pennyworth rehearse`: a line a step, and a page with what the workflow wrote."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pennyworth.host.places import ROOT, work_dir
from pennyworth.local.rehearsal import page

STEP = re.compile(r"  (?:  )?[✓✗] .+ \d+\.\d s")


def rehearse(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pennyworth.cli", "rehearse", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def read_page(errors: str) -> Path:
    """The page whose path is printed."""
    (path,) = re.findall(r"^The job's summary: (.*)$", errors, re.MULTILINE)
    return Path(path)


def test_a_deployment_is_a_line_a_step_and_a_page() -> None:
    done = rehearse()
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    steps = [line for line in done.stderr.splitlines() if STEP.fullmatch(line)]
    assert len(steps) > 8
    assert any("Deploy the stack" in line for line in steps)
    assert len(done.stderr.splitlines()) < len(steps) + 10
    shown = read_page(done.stderr)
    assert shown.suffix == ".html" and shown.parent == work_dir() / "rehearsals"
    assert "<table>" in shown.read_text(encoding="utf-8")
    assert "| step | time |" in shown.with_suffix(".md").read_text(encoding="utf-8")


def test_the_summary_is_printed_where_it_is_wanted() -> None:
    done = rehearse("--branch", "not-trusted", "--summary")
    assert done.returncode == 1
    assert done.stdout.startswith("## ❌ AWS did not hand out credentials")
    assert "| step | time |" in done.stdout
    assert "✗ Assume the deploy role" in done.stderr
    assert read_page(done.stderr).exists()


def test_without_what_renders_it_the_page_is_markdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENNYWORTH_WORK_DIR", str(tmp_path))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(shutil.which("false") or "false")
    monkeypatch.setattr(page, "environment", lambda _: programs)
    kept = page.keep_page("deploy", "### ✅ done\n")
    assert kept == tmp_path / "rehearsals" / "deploy.md"
    assert kept.read_text(encoding="utf-8") == "### ✅ done\n"
