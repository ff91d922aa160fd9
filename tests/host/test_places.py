"""Where generated files go."""

from pathlib import Path

import pytest

from pennyworth.host import places
from pennyworth.host.places import FolderUnavailable, made, shorten, work_dir


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody who has an installed package."""
    monkeypatch.setattr(places, "ROOT", tmp_path / "site-packages" / "pennyworth" / "repository")
    for name in ("PENNYWORTH_WORK_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_checkout_keeps_them_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENNYWORTH_WORK_DIR", raising=False)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    assert places.is_checkout()
    assert work_dir() == tmp_path / ".pennyworth"


@pytest.mark.parametrize(
    ("platform", "caches", "expected"),
    [
        ("linux", "", ".cache/pennyworth"),
        ("linux", "relative", ".cache/pennyworth"),
        ("linux", "/var/caches", "/var/caches/pennyworth"),
        ("darwin", "/var/caches", "Library/Caches/pennyworth"),
    ],
)
def test_an_installed_package_keeps_them_among_the_users_caches(
    installed: Path, monkeypatch: pytest.MonkeyPatch, platform: str, caches: str, expected: str
) -> None:
    monkeypatch.setattr(places.sys, "platform", platform)
    monkeypatch.setenv("XDG_CACHE_HOME", caches)
    assert not places.is_checkout()
    assert work_dir() == installed / expected
    monkeypatch.setenv("PENNYWORTH_WORK_DIR", "/elsewhere")
    assert work_dir() == Path("/elsewhere")


def test_a_folder_is_made_for_its_user_alone(installed: Path) -> None:
    assert made("a", "b").is_dir()
    assert work_dir().stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_told(installed: Path) -> None:
    (installed / ".cache").write_text("a file")
    with pytest.raises(FolderUnavailable, match=r"Set PENNYWORTH_WORK_DIR"):
        made("a")


def test_a_path_is_shown_from_here_or_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shorten(tmp_path / "a" / "b") == Path("a", "b")
    assert shorten(Path("/elsewhere")) == Path("/elsewhere")
