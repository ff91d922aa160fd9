"""make lock, over requirements of the test's own."""

from pathlib import Path

import pytest

from pennyworth.host import locks


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = locks.uv()
    monkeypatch.setattr(locks, "uv", lambda: program)
    monkeypatch.setattr(locks, "LOCKS", tmp_path)
    (tmp_path / "some.in").write_text("waitress<3.0.2\n")
    return tmp_path


def test_a_lock_has_versions_and_hashes_and_no_index(requirements: Path) -> None:
    assert locks.main(["some"]) == 0
    text = (requirements / "some.txt").read_text()
    assert text.startswith("waitress==3.0.1 \\\n    --hash=sha256:")
    assert "index" not in text
    assert "://" not in text


def test_check_tells_a_stale_lock_and_changes_nothing(
    requirements: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert locks.main([]) == 0
    assert locks.main(["--check"]) == 0
    (requirements / "some.in").write_text("waitress<3.0.1\n")
    before = (requirements / "some.txt").read_text()
    assert locks.main(["--check"]) == 1
    assert "some. Run `make lock`" in capsys.readouterr().err
    assert (requirements / "some.txt").read_text() == before


def test_versions_stay_until_they_are_to_be_upgraded(requirements: Path) -> None:
    locks.main([])
    (requirements / "some.in").write_text("waitress<3.0.3\n")
    locks.main([])
    assert "waitress==3.0.1" in (requirements / "some.txt").read_text()
    locks.main(["--upgrade"])
    assert "waitress==3.0.2" in (requirements / "some.txt").read_text()


def test_requirements_that_contradict_each_other_are_told(
    requirements: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (requirements / "some.in").write_text("waitress<3\nwaitress>=3\n")
    assert locks.main([]) == 1
    assert "requirements/some.in can't be resolved" in capsys.readouterr().err


def test_an_unknown_name_is_refused(requirements: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        locks.main(["other"])
    assert caught.value.code == 2
