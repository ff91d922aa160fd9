"""Which adapter runs beside a function, and what `pennyworth adapter` says."""

from pathlib import Path

import pytest

from pennyworth.cli import main
from pennyworth.local.aws import adapter


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the real adapter and without cargo."""
    monkeypatch.setenv("PENNYWORTH_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv(adapter.VARIABLE, raising=False)
    return tmp_path


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_the_stand_in_where_there_is_no_other(nowhere: Path) -> None:
    assert adapter.real() is None
    assert adapter.command()[-1].endswith("standin.py")


def test_the_named_one_before_the_built_one_before_the_one_on_path(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = program(nowhere / "bin" / adapter.PROGRAM)
    assert adapter.command() == [str(on_path)]
    built = program(nowhere / "work" / "adapter" / "bin" / adapter.PROGRAM)
    assert adapter.command() == [str(built)]
    monkeypatch.setenv(adapter.VARIABLE, "/opt/extensions/lambda-adapter")
    assert adapter.command() == ["/opt/extensions/lambda-adapter"]
    monkeypatch.setenv(adapter.VARIABLE, adapter.STAND_IN)
    assert adapter.command()[-1].endswith("standin.py")


def test_the_command_prints_where_it_lies(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    on_path = program(nowhere / "bin" / adapter.PROGRAM)
    assert main(["adapter"]) == 0
    assert capsys.readouterr().out == f"{on_path}\n"


def test_the_command_says_what_is_missing(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapter"]) == 1
    assert "cargo is not on PATH. Install Rust" in capsys.readouterr().err
