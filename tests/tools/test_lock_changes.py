"""An update of the locks shows what each package newly brings."""

import subprocess
from pathlib import Path

import pytest
from tests.wheels import make_wheel
from tools.lock_changes import main, parse_lock

from pennyworth.host import environments
from tools import lock_changes


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two locks, whose index is a folder."""
    program = environments.uv()
    root = tmp_path / "repository"
    (root / "requirements").mkdir(parents=True)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("PENNYWORTH_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setattr(lock_changes, "ROOT", root)
    monkeypatch.setattr(lock_changes, "LOCKS", root / "requirements")
    monkeypatch.setattr(lock_changes, "uv", lambda: program)
    index = tmp_path / "index"
    code = "URL = 'https://api.example.com/v1'\n"
    old = make_wheel(index, {"some/a.py": code}, name="some", version="1.0")
    same = make_wheel(index, {"other/a.py": code}, name="other", version="3")
    (root / "requirements" / "gateway.txt").write_text(old + same)
    (root / "requirements" / "tools.txt").write_text(same)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "locks"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=root, check=True)
    return root


def update(root: Path, *lines: str) -> None:
    lock = root / "requirements" / "gateway.txt"
    other = lock.read_text()[lock.read_text().index("other==") :]
    lock.write_text("".join(lines) + other)


def test_what_is_new_is_named_and_what_was_there_is_not(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = repository.parent / "index"
    files = {
        "some/a.py": "URL = 'https://api.example.com/v1'\nTO = 'http://models.litellm.cloud/x'\n",
        "some/fast.so": b"\x7fELF...https://telemetry.example.org",
    }
    new = make_wheel(
        index,
        files,
        name="some",
        version="2.0",
        requires=("yaml>=6", "rare; extra == 'all'"),
        entry_points="[console_scripts]\nsome = some:main\n\n[pytest11]\nSome = some.plugin\n",
    )
    added = make_wheel(index, {}, name="added", version="5")
    update(repository, new, added)
    assert main([]) == 0
    shown = capsys.readouterr().out
    row, next_row = shown.splitlines()[2:]
    assert row.startswith("| gateway | `some` | 1.0 → 2.0 |") and next_row.startswith(
        "| gateway | `added` | new → 5 | nothing"
    )
    assert "**native files**: `some/fast.so`" in row
    assert "**programs and plugins**: `console_scripts: some`, `pytest11: Some`" in row
    assert "**hosts**: `models.litellm.cloud`, `telemetry.example.org`" in row
    assert "**dependencies**: `yaml`" in row and "rare" not in row
    assert "api.example.com" not in shown and "other" not in shown


def test_what_runs_at_every_start_fails(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = make_wheel(repository.parent / "index", {"some.pth": "import os\n"}, name="some", version="2.0")
    update(repository, new)
    assert main(["gateway"]) == 1
    assert "**runs at every start of Python**: `some.pth`" in capsys.readouterr().out


def test_without_a_change_there_is_nothing_to_look_at(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repository.exists() and main([]) == 0
    assert "No lock has another package" in capsys.readouterr().out


def test_a_release_without_a_wheel_is_said_so(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    update(repository, f"some==9 \\\n    --hash=sha256:{'0' * 64}\n")
    assert main([]) == 0
    assert "9 has no wheel for Linux" in capsys.readouterr().out


def test_a_lock_is_read_with_markers_and_hashes() -> None:
    hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in ("aa", "bb"))
    text = f"a==1 ; sys_platform == 'win32'{hashes}\nb-c==2.0.post1{hashes}\n"
    found = parse_lock(text)
    assert [(one.name, one.version) for one in found.values()] == [("a", "1"), ("b-c", "2.0.post1")]
    assert found["a"].lines.endswith("--hash=sha256:bb") and "win32" in found["a"].lines


def test_a_commit_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--base", "nonsense"])
    assert "fetch more of the history" in capsys.readouterr().err
