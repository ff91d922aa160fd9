"""What Python runs by itself at every start is found, whatever it is called, and nothing installed with it runs."""

from pathlib import Path

import pytest
from tests.wheels import make_wheel

from pennyworth.host import environments
from pennyworth.host.environments import EnvironmentUnavailable, environment
from pennyworth.host.interpreters import interpreter
from pennyworth.host.startup_files import find_startup_files
from pennyworth.pipeline.build import dependencies
from pennyworth.pipeline.build.target import Target
from pennyworth.pipeline.build.tools import BuildFailed


@pytest.fixture
def stealer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock whose only package writes the environment's credentials away when Python starts; what it would write."""
    program = environments.uv()
    loot = tmp_path / "loot"
    code = f"import os; open({str(loot)!r}, 'w').write(os.environ.get('AWS_SECRET_ACCESS_KEY', ''))\n"
    locks = tmp_path / "requirements"
    locks.mkdir()
    (locks / "gateway.txt").write_text(make_wheel(tmp_path / "index", {"stolen_init.pth": code}))
    (locks / "uv.txt").write_text("")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("PENNYWORTH_WORK_DIR", str(tmp_path / "work"))
    for module in (environments, dependencies):
        monkeypatch.setattr(module, "LOCKS", locks)
        monkeypatch.setattr(module, "uv", lambda: program)
    return loot


def test_a_stolen_release_with_a_pth_file_is_not_packaged(stealer: Path, tmp_path: Path) -> None:
    target = Target.here()
    kept = tmp_path / "kept"
    kept.mkdir()
    with pytest.raises(
        BuildFailed, match=r"stolen 1\.82\.8 brings stolen_init\.pth.*requirements/gateway\.in"
    ):
        dependencies.install_dependencies(target, "gateway", interpreter(target.python), kept)
    assert not stealer.exists()
    assert not [*kept.glob("gateway-*")]  # nothing that the next build would take for checked


def test_nor_does_it_run_in_an_environment_of_tools(stealer: Path) -> None:
    for _ in range(2):  # what was left of the first must not pass for an environment
        with pytest.raises(EnvironmentUnavailable, match=r"stolen 1\.82\.8 brings stolen_init\.pth"):
            environment("gateway")
    assert not stealer.exists()


@pytest.mark.parametrize(
    "path",
    [
        "a.start",
        "deep/down/a.pth",
        "sitecustomize.py",
        "sitecustomize/__init__.py",
        "usercustomize.cpython-313-x86_64-linux-gnu.so",
        "lib/python3.13/site-packages/usercustomize.pyc",
        "stolen-1.data/purelib/a.pth",
    ],
)
def test_every_way_to_run_at_the_start_is_found(tmp_path: Path, path: str) -> None:
    _touch(tmp_path, path)
    (found,) = find_startup_files(tmp_path)
    assert path.startswith(found.path)


def test_a_module_in_the_place_of_pythons_own_is_found_where_it_comes_first(tmp_path: Path) -> None:
    for path in ("encodings/__init__.py", "site.py", "package/json.py", "typing_extensions.py", "site.txt"):
        _touch(tmp_path, path)
    assert [one.path for one in find_startup_files(tmp_path, first=True)] == ["encodings", "site.py"]
    assert find_startup_files(tmp_path) == []


def test_what_only_looks_like_one_is_left_alone(tmp_path: Path) -> None:
    for path in ("package/sitecustomize.py", "sitecustomize.txt", "a.pth.md", "pth", "start.py"):
        _touch(tmp_path, path)
    assert find_startup_files(tmp_path) == []


def _touch(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).touch()
