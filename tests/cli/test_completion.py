"""The completion scripts, in the shells themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pennyworth.cli import COMMANDS
from pennyworth.host.places import ROOT, work_dir

# each completes one line, given as words; the last one is being typed
COMPLETE = {
    "bash": """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
complete -p pennyworth > /dev/null || exit 1
_shtab_pennyworth pennyworth "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
""",
    "fish": 'source $argv[1]; complete --do-complete "$argv[2..]" | string replace -r "\\t.*" ""; true',
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run(
            [sys.executable, "-m", "pennyworth.cli", "completion", shell],
            env={"PYTHONPATH": str(ROOT / "src"), "PENNYWORTH_WORK_DIR": str(work_dir().resolve())},
            capture_output=True,
            text=True,
            check=True,
        )
        (folder / shell).write_text(done.stdout)
    return folder


def complete(shell: str, scripts: Path, *words: str) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    quiet = {"fish": ["--no-config"], "bash": ["--norc"]}[shell]
    run = [shell, *quiet, "-c", COMPLETE[shell], *(["-"] if shell == "bash" else [])]
    done = subprocess.run(
        [*run, str(scripts / shell), "pennyworth", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "HOME": str(scripts)},  # fish writes into it
    )
    return done.stdout.split()


@pytest.mark.parametrize("shell", COMPLETE)
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("ro",), {"rollback"}),
        (("credentials", "cr"), {"create-key"}),
        (("logs", "--stat"), {"--status"}),
        (("credentials", "rotate", "--unt"), {"--until"}),
        (("demo", "--provider", "oll"), {"ollama"}),
        (("open", "--dash"), {"--dashboard"}),
        (("config", "check", "pyproj"), {"pyproject.toml"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_words_are_completed(shell: str, words: tuple[str, ...], found: set[str], scripts: Path) -> None:
    assert set(complete(shell, scripts, *words)) == found


@pytest.mark.parametrize("shell", COMPLETE)
def test_every_command_is_completed(shell: str, scripts: Path) -> None:
    assert set(COMMANDS) <= set(complete(shell, scripts, ""))


ZSH = r"""
zmodload zsh/zpty
zpty shell 'TERM=dumb zsh -f -i'
zpty -w shell "fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u; print RE''ADY"
zpty -r -m shell seen '*READY*'
zpty -n -w shell "pennyworth credentials cre"$'\t'
zpty -r -m shell seen '*create-key*' && print completed
zpty -d shell
"""
"""zsh completes only for a terminal."""


def test_zsh_completes_words_too(scripts: Path, tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    shutil.copy(scripts / "zsh", tmp_path / "_pennyworth")
    done = subprocess.run(
        ["zsh", "-f", "-c", ZSH, "-", tmp_path], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == "completed", done.stderr
