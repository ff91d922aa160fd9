"""What the commands print where the terminal or pipe can't show every character."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pennyworth.host.places import ROOT

LIMITED = [
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]
NAMES = [" ".join(f"{name}={value}" for name, value in environ.items()) for environ in LIMITED]


def run(folder: Path, environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "GIT_CEILING_DIRECTORIES": str(folder.parents[2]),  # the tests' folder may lie in this checkout
            **environ,
        },
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("environ", LIMITED, ids=NAMES)
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("pennyworth.cli", "smoke", "http://127.0.0.1:1/v1", "--markdown"), 1),
        (("pennyworth.cli", "smoke", "http://127.0.0.1:1/✓"), 1),
        (("pennyworth.cli", "doctor", "--help"), 0),
        (("pennyworth.cli", "init"), 1),
        (("tests", "no-such-part-→"), 2),
        (("bench", "--help"), 0),
        (("tools.pages", "--help"), 0),
        (("pennyworth.host.locks", "--help"), 0),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_nothing_ends_in_an_encoding_error(
    tmp_path: Path, environ: dict[str, str], words: tuple[str, ...], status: int
) -> None:
    done = run(tmp_path, environ, *words)
    assert b"Traceback" not in done.stderr
    assert done.returncode == status


def test_marks_stay_apart_where_they_cannot_be_shown(tmp_path: Path) -> None:
    done = run(tmp_path, {"PYTHONIOENCODING": "ascii"}, "pennyworth.cli", "doctor", "--help")
    assert b"+ fine   ! warning   x wrong   ? unknown" in done.stdout
    shown = run(tmp_path, {"PYTHONIOENCODING": "utf-8"}, "pennyworth.cli", "doctor", "--help")
    assert "✓ fine   ! warning   ✗ wrong   ? unknown" in shown.stdout.decode()
