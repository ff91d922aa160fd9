"""Packages that are kept: installed without an index, and compared with the lock every time."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from pennyworth.host import environments, wheels
from pennyworth.host.environments import environment

NAME = "tiny-1-py3-none-any.whl"
METADATA = {
    "tiny-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n",
    "tiny-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny-1.dist-info/RECORD": "",
}


def wheel(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / NAME, "w") as archive:
        for name, text in {"tiny.py": content, **METADATA}.items():
            archive.writestr(name, text)
    return folder / NAME


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one package, which no index has. uv itself is the project's."""
    program = environments.uv()
    locks = tmp_path / "requirements"
    locks.mkdir()
    digest = hashlib.sha256(wheel(tmp_path / "index", "print('sound')").read_bytes()).hexdigest()
    (locks / "some.txt").write_text(f"tiny==1 --hash=sha256:{digest}\n")
    monkeypatch.setenv("PENNYWORTH_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setattr(environments, "LOCKS", locks)
    monkeypatch.setattr(wheels, "LOCKS", locks)
    monkeypatch.setattr(environments, "uv", lambda: program)
    return tmp_path


def run_tiny() -> str:
    command = [environment("some") / "python", "-m", "tiny"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_what_is_kept_is_installed_without_an_index(place: Path) -> None:
    told = wheels.describe(["some"])
    assert told["wanted"] == "true"
    Path(told["path"]).mkdir(parents=True)
    (place / "index").rename(place / "work" / environments.name_kept_wheels("some"))
    assert run_tiny() == "sound\n"
    assert wheels.describe(["some"]) == {**told, "wanted": ""}


def test_a_wheel_that_somebody_changed_is_never_installed(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel(place / "work" / environments.name_kept_wheels("some"), "print('poisoned')")
    with pytest.raises(environments.EnvironmentUnavailable):
        run_tiny()
    assert "Hash mismatch" in capsys.readouterr().err
    monkeypatch.setenv("UV_FIND_LINKS", str(place / "index"))  # the index has it again
    assert run_tiny() == "sound\n"


def test_the_key_follows_the_lock(place: Path) -> None:
    before = wheels.describe(["some"])["key"]
    assert before.startswith("pennyworth-some-")
    (place / "requirements" / "some.txt").write_text("tiny==1 --hash=sha256:00\n")
    assert wheels.describe(["some"])["key"] != before
