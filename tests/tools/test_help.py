"""--help prints, and does nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pennyworth.cli import COMMANDS
from pennyworth.host.places import ROOT

TARGETS = ["demo", "test", "lint", "rehearse", "bench", "adapter", "pages", "lock"]
ARGS = ["--help", "-h"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PENNYWORTH_WORK_DIR": str(tmp_path / "work"),
    }


def run(environ: dict[str, str], *words: str) -> str:
    """Run a command that must print and change nothing. Returns its output."""
    status = ["git", "status", "--porcelain"]
    before = subprocess.run(status, cwd=ROOT, capture_output=True, check=True).stdout
    done = subprocess.run(
        words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert not Path(environ["PENNYWORTH_WORK_DIR"]).exists()
    assert subprocess.run(status, cwd=ROOT, capture_output=True, check=True).stdout == before
    return done.stdout


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("args", ARGS)
def test_a_target_of_make_explains_itself(environ: dict[str, str], target: str, args: str) -> None:
    shown = run(
        environ, "make", "--no-print-directory", target, f"ARGS={args}", f"PYTHON={sys.executable}"
    ).lower()
    assert "usage" in shown or f"make {target}" in shown


@pytest.mark.parametrize(
    ("target", "args"), [("test", "gateway -k stream --help"), ("bench", "--runs 9 --help")]
)
def test_help_wins_over_what_stands_before_it(environ: dict[str, str], target: str, args: str) -> None:
    assert f"make {target}" in run(environ, "make", target, f"ARGS={args}", f"PYTHON={sys.executable}")


def test_make_help_lists_every_target(environ: dict[str, str]) -> None:
    shown = run(environ, "make", "help")
    assert {"help", "clean", *TARGETS} == {line.split()[0] for line in shown.splitlines()}


@pytest.mark.parametrize("command", [*COMMANDS, "config check", "credentials create-key"])
def test_a_command_explains_itself(environ: dict[str, str], command: str) -> None:
    shown = run(environ, sys.executable, "-m", "pennyworth.cli", *command.split(), "--help")
    assert f"usage: pennyworth {command.split()[0]}" in shown
