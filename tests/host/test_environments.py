"""Environments are complete or absent, made once, and made anew when what they hold changes."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pennyworth.host import environments
from pennyworth.host.environments import EnvironmentUnavailable, clean_environ, environment

MAKE = "import sys; from pennyworth.host.environments import environment; print(environment(sys.argv[1]))"


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A work folder and locks of the test's own. uv itself is the project's."""
    program = environments.uv()
    locks = tmp_path / "requirements"
    locks.mkdir()
    monkeypatch.setenv("PENNYWORTH_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setattr(environments, "LOCKS", locks)
    monkeypatch.setattr(environments, "uv", lambda: program)
    yield tmp_path


def lock(place: Path, text: str = "") -> None:
    (place / "requirements" / "some.txt").write_text(text)


def made(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "work" / "env").iterdir() if path.is_dir())


def test_it_is_made_once_and_works(own_place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock(own_place)
    programs = environment("some")
    prefix = subprocess.run(
        [programs / "python", "-c", "import sys; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(prefix.stdout.strip()).resolve() == programs.parent.resolve()
    assert "creating the environment 'some'" in capsys.readouterr().err
    assert environment("some") == programs
    assert capsys.readouterr().err == ""


def test_one_made_through_a_link_outlives_the_link(own_place: Path) -> None:
    lock(own_place)
    link = own_place / "python3"
    link.symlink_to(sys.executable)
    programs = environment("some", str(link))
    link.unlink()
    assert subprocess.run([programs / "python", "-c", ""], check=False).returncode == 0


def test_a_changed_lock_makes_a_new_one_and_removes_the_old(own_place: Path) -> None:
    lock(own_place)
    first = environment("some")
    lock(own_place, "# changed\n")
    second = environment("some")
    assert second != first
    assert made(own_place) == [second.parent.name]


def test_an_interrupted_build_leaves_nothing_that_looks_usable(
    own_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(own_place)

    def interrupted(_lock: Path, home: Path, _python: str) -> None:
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "python").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(environments, "_make_with_uv", interrupted)
        with pytest.raises(KeyboardInterrupt):
            environment("some")
    assert len(made(own_place)) == 1
    assert subprocess.run([environment("some") / "python", "-c", ""], check=False).returncode == 0


def test_packages_that_do_not_match_their_hashes_are_refused(own_place: Path) -> None:
    lock(own_place, f"waitress==3.0.2 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(EnvironmentUnavailable, match=r"requirements/some\.txt can't be installed") as caught:
        environment("some")
    assert "hash" in str(caught.value).lower()
    with pytest.raises(EnvironmentUnavailable):
        environment("some")


def test_an_interpreter_that_is_not_there_is_named(own_place: Path) -> None:
    lock(own_place)
    with pytest.raises(EnvironmentUnavailable, match=r"uv can't create an environment with /nowhere/python"):
        environment("some", "/nowhere/python")


def test_two_at_once_make_it_once(own_place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock(own_place)
    results: list[Path] = []
    threads = [threading.Thread(target=lambda: results.append(environment("some"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 3
    assert len(set(results)) == 1
    assert capsys.readouterr().err.count("✓ creating the environment") == 1


def test_what_leads_a_tool_elsewhere_is_dropped_and_what_reaches_a_registry_kept(
    monkeypatch: pytest.MonkeyPatch, own_place: Path
) -> None:
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "UV_TARGET", "PIP_USER", "HTTPS_PROXY", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    environ = clean_environ()
    assert not {"VIRTUAL_ENV", "PYTHONPATH", "UV_TARGET", "PIP_USER"} & environ.keys()
    assert (environ["HTTPS_PROXY"], environ["UV_DEFAULT_INDEX"]) == ("x", "x")
    assert Path(environ["UV_CACHE_DIR"]).is_relative_to(own_place)
