"""What an older Python gets from every command: one line, or a newer Python that is on PATH."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pennyworth.host.places import ROOT

OLDEST = (3, 8)
TOO_OLD = [(3, 8), (3, 9), (3, 10)]
MODULES = ["pennyworth.cli", "tests", "bench", "tools.pages", "pennyworth.host.locks"]
"""What the Makefile and the pages name after `python3 -m`."""
TARGETS = ["demo", "test", "lint", "rehearse", "bench", "adapter", "pages", "lock"]


def read_first(module: str) -> Iterator[Path]:
    """The files that a Python parses before it comes to the check of its version."""
    own = "pennyworth" in module
    yield (ROOT / "src" / "pennyworth" if own else ROOT / module.split(".")[0]) / "__init__.py"
    if not own:
        path = ROOT / module.replace(".", "/")
        yield path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__main__.py"


def run(python: str, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *words],
        cwd=ROOT,
        env={"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def find_real(version: tuple[int, int]) -> str | None:
    """An interpreter of this version that runs; pyenv's shims often do not."""
    name = f"python{version[0]}.{version[1]}"
    homes = Path.home().glob(f".pyenv/versions/{version[0]}.{version[1]}.*/bin/{name}")
    for python in filter(None, [shutil.which(name), *map(str, homes)]):
        if run(python, "-c", "pass").returncode == 0:
            return python
    return None


@pytest.mark.parametrize("module", MODULES)
def test_what_comes_before_the_check_can_be_parsed_by_an_old_python(module: str) -> None:
    files = list(read_first(module))
    files += [ROOT / "src/pennyworth/cli/__main__.py", ROOT / "src/pennyworth/host/newer_python.py"]
    for path in files:
        ast.parse(path.read_text(), str(path), feature_version=OLDEST)


@pytest.mark.parametrize("module", MODULES)
def test_an_old_version_gets_one_line(module: str) -> None:
    as_if = (
        "import runpy, sys\n"
        "sys.version_info = (3, 9, 18)\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
    )
    done = run(sys.executable, "-c", as_if)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "is Python 3.9; pennyworth needs 3.11 or newer" in line
    assert "make demo PYTHON=" in line
    assert not done.stdout


@pytest.mark.parametrize("version", TOO_OLD, ids=lambda version: ".".join(map(str, version)))
def test_a_real_old_python_gets_it_too(version: tuple[int, int]) -> None:
    python = find_real(version)
    if python is None:
        pytest.skip("no such Python here")
    for module in MODULES:
        done = run(python, "-m", module, "--help")
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert f"is Python {version[0]}.{version[1]}; pennyworth needs 3.11 or newer" in line


@pytest.mark.parametrize("version", TOO_OLD, ids=lambda version: ".".join(map(str, version)))
def test_a_runners_old_python_goes_on_in_a_newer_one(tmp_path: Path, version: tuple[int, int]) -> None:
    python = find_real(version)
    if python is None:
        pytest.skip("no such Python here")
    (tmp_path / "python3.13").write_text("#!/bin/sh\nexit 127\n")  # as a shim of pyenv's
    (tmp_path / "python3.13").chmod(0o755)
    (tmp_path / "python3.12").symlink_to(sys.executable)
    done = run(python, "-m", "pennyworth.cli", "version", GITHUB_ACTIONS="true", PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pennyworth ")


@pytest.mark.parametrize("module", ["tests", "bench"])
def test_it_needs_no_pythonpath(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert f"python3 -m {module}" in done.stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with a python3 that is too old, and what make needs."""
    for name in ("make", "sh", "env"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    (tmp_path / "python3").write_text('#!/bin/sh\n[ "$1" = -c ] && exit 1\necho "too old: $*"\nexit 1\n')
    (tmp_path / "python3").chmod(0o755)
    return tmp_path


def make(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [path / "make", "--no-print-directory", *words],
        cwd=ROOT,
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("target", TARGETS)
def test_make_takes_a_newer_python_from_path(path: Path, target: str) -> None:
    (path / "python3.13").write_text("#!/bin/sh\nexit 127\n")  # as a shim of pyenv's
    (path / "python3.13").chmod(0o755)
    (path / "python3.12").symlink_to(sys.executable)
    done = make(path, "--dry-run", target)
    assert "PYTHONPATH=src python3.12 -m " in done.stdout, done.stderr


def test_make_without_any_lets_python3_say_so(path: Path) -> None:
    done = make(path, "demo")
    assert done.returncode != 0
    assert done.stdout == "too old: -m pennyworth.cli demo\n"


def test_make_uses_the_python_that_is_named(path: Path) -> None:
    done = make(path, "--dry-run", "demo", "PYTHON=python3.99")
    assert "PYTHONPATH=src python3.99 -m pennyworth.cli demo" in done.stdout
