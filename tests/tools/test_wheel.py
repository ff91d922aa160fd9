"""The wheel: what is in it, and that its commands work where there is no checkout."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.release import distributions

from pennyworth.cli import COMMANDS
from pennyworth.host.environments import LOCKS, call, uv
from pennyworth.host.places import ROOT, made

CARRIED = "pennyworth/repository/"
SECONDS = 1_700_000_000


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a release has it: built from the archive of the sources."""
    files = distributions.build(ROOT, tmp_path_factory.mktemp("dist"), SECONDS)
    (found,) = (file for file in files if file.suffix == ".whl")
    return found


@pytest.fixture(scope="session")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the installed package, which must stay as it is."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    before = sorted(folder.rglob("*"))
    yield folder
    assert sorted(folder.rglob("*")) == before


@pytest.fixture
def environ(site: Path, tmp_path: Path) -> dict[str, str]:
    """Of somebody who has the package alone."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "caches"),
        "PYTHONPATH": str(site),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def run(environ: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pennyworth.cli", *words],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def tracked(path: str) -> list[str]:
    """The files of the repository in a folder, or the one file."""
    listed = subprocess.run(["git", "ls-files", path], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.split()


def test_it_carries_what_pyproject_lists_and_the_package_and_nothing_else(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {place: f"{CARRIED}{place}" for place in listed} == listed
    files = {f"{CARRIED}{file}" for place in listed for file in tracked(place)}
    files |= {file.removeprefix("src/") for file in tracked("src/pennyworth")}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == files
        for name in files:
            source = name.removeprefix(CARRIED) if name.startswith(CARRIED) else f"src/{name}"
            assert archive.read(name) == (ROOT / source).read_bytes()


def test_it_carries_the_lock_of_each_environment_that_a_command_makes(site: Path) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r'\b(?:environment|go_on_in)\(\s*"(\w+)"', sources))
    assert {path.stem for path in (site / CARRIED / "requirements").iterdir()} == named
    assert named <= {path.stem for path in LOCKS.glob("*.txt")}


def test_a_checkout_and_the_archive_of_its_sources_give_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    command: list[str | Path] = ["/usr/bin/env", f"SOURCE_DATE_EPOCH={SECONDS}", uv(), "build", "--wheel"]
    command += ["--quiet", "--no-config", "--build-constraints", LOCKS / "release.txt", "--require-hashes"]
    previous = os.umask(0o022)
    try:
        call([*command, "--out-dir", tmp_path, ROOT], "no wheel")
    finally:
        os.umask(previous)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_every_command_explains_itself_and_writes_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import sys, pennyworth\n"
        "from pennyworth.cli import main\n"
        "print(pennyworth.__file__)\n"
        "for command in sys.argv[1:]:\n"
        "    try:\n"
        "        main([*command.split(), '--help'])\n"
        "    except SystemExit as exited:\n"
        "        assert not exited.code, command\n"
    )
    words = [sys.executable, "-c", script, *COMMANDS]
    done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith(environ["PYTHONPATH"])
    assert done.stdout.count("usage: pennyworth ") == len(COMMANDS)
    assert not list(tmp_path.iterdir())


def test_the_work_folder_is_among_the_users_caches_and_help_says_so(
    environ: dict[str, str], tmp_path: Path
) -> None:
    assert f"{environ['XDG_CACHE_HOME']}/pennyworth" in re.sub(
        r"\s+", "", run(environ, tmp_path, "-h").stdout
    )
    named = {**environ, "PENNYWORTH_WORK_DIR": "/some/where"}
    assert "/some/where" in run(named, tmp_path, "--help").stdout


def test_eject_writes_the_same_as_in_a_checkout(environ: dict[str, str], tmp_path: Path) -> None:
    here, checkout = tmp_path / "here", tmp_path / "checkout"
    done = run(environ, tmp_path, "eject", "--to", str(here), "--model-provider", "openai")
    assert done.returncode == 0, done.stderr
    own = {**environ, "PYTHONPATH": str(ROOT / "src")}
    assert run(own, tmp_path, "eject", "--to", str(checkout), "--model-provider", "openai").returncode == 0
    files = [path.relative_to(here) for path in sorted(here.rglob("*")) if path.is_file()]
    assert files == [path.relative_to(checkout) for path in sorted(checkout.rglob("*")) if path.is_file()]
    assert len(files) > 50
    assert [path for path in files if (here / path).read_bytes() != (checkout / path).read_bytes()] == []
    work = Path(environ["XDG_CACHE_HOME"], "pennyworth")
    assert work.stat().st_mode & 0o777 == 0o700
    (copy,) = (work / "source").iterdir()
    assert (copy / "template.yaml").exists() and (copy / "src" / "pennyworth" / "gateway").is_dir()


def test_a_program_in_another_environment_gets_the_sources_alone(
    environ: dict[str, str], tmp_path: Path
) -> None:
    done = run({**environ, "PENNYWORTH_WORK_DIR": str(made())}, tmp_path, "policy", "--check")
    assert done.returncode == 0, done.stderr
    assert "allow exactly what the template needs" in done.stdout
    refused = run(environ, tmp_path, "policy", "--write")
    assert refused.returncode == 2
    assert "--write changes the documents of a checkout" in refused.stderr


def test_init_names_the_command_and_the_workflows_that_it_came_from(
    environ: dict[str, str], site: Path, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    missing = run(environ, tmp_path, "init", "--yes")
    assert missing.returncode == 1
    assert "came from a package index. Use --from OWNER/NAME" in missing.stderr
    done = run(environ, tmp_path, "init", "--yes", "--from", "owner/project")
    assert done.returncode == 0, done.stderr
    assert "/bin/pennyworth bootstrap " in done.stdout and "PYTHONPATH" not in done.stdout
    version = next(site.glob("*.dist-info")).name.split("-")[1].removesuffix(".dist")
    written = (tmp_path / ".github" / "workflows" / "pennyworth.yml").read_text()
    assert f"uses: owner/project/.github/workflows/deploy.yml@v{version}\n" in written
    assert "config.yaml: 1 model" in run(environ, tmp_path, "config", "check", "config.yaml").stdout


def test_a_work_folder_that_cannot_be_made_is_one_line(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    taken = {**environ, "PENNYWORTH_WORK_DIR": str(tmp_path / "file" / "work")}
    done = run(taken, tmp_path, "eject", "--model-provider", "openai")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "can't be created: not a directory" in line and "Set PENNYWORTH_WORK_DIR" in line
