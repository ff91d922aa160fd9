"""The function's package: what is in it, what is not, and that the same inputs make the same bytes."""

import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pennyworth.aws.provenance import UNKNOWN, Provenance
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.host.environments import LOCKS
from pennyworth.host.interpreters import interpreter
from pennyworth.host.places import ROOT, made
from pennyworth.pipeline.build import ARCHIVE, FUNCTION, BuildFailed, Target, sam_build
from pennyworth.pipeline.build.archive import compute_digest, write_archive
from pennyworth.pipeline.build.build import Choice, build
from pennyworth.pipeline.build.configuration import Configuration, read_configuration
from pennyworth.pipeline.build.dependencies import install_dependencies
from pennyworth.pipeline.build.trim import Entry, read_entries, trim
from pennyworth.pipeline.deploy import provenance
from pennyworth.pipeline.deploy.provenance import make_provenance

MIB = 2**20
MACHINES = {"arm64": 0xB7, "x86_64": 0x3E}  # e_machine: https://man7.org/linux/man-pages/man5/elf.5.html

Packaged = Callable[[str, Choice], Path]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packaged]:
    """Makes the package for Lambda's Python 3.13 on an architecture, once."""
    root = tmp_path_factory.mktemp("packages")

    def make(architecture: str, litellm: Choice) -> Path:
        folder = root / f"{architecture}-{litellm}"
        if not folder.exists():
            build(folder, Target("3.13", architecture), Configuration(None, True), litellm)
        return folder

    yield make
    shutil.rmtree(root)  # too large for pytest to keep


def fingerprint(root: Path) -> dict[str, tuple[str, int, float]]:
    """Each file's content, mode and date."""
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mode,
            path.stat().st_mtime,
        )
        for path in root.rglob("*")
    }


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


@pytest.fixture
def another_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("another_umask")
@pytest.mark.parametrize("architecture", MACHINES)
def test_the_same_inputs_make_the_same_bytes_modes_and_dates(
    packaged: Packaged, architecture: str, tmp_path: Path
) -> None:
    target, settings = Target("3.13", architecture), Configuration(None, False)
    build(tmp_path / "package", target, settings, Choice.NO, kept=tmp_path)  # where nothing is kept yet
    assert fingerprint(tmp_path / "package") == fingerprint(packaged(architecture, Choice.NO))


@pytest.mark.usefixtures("another_umask")
def test_the_same_locks_make_the_same_bytes_with_litellm_too(packaged: Packaged, tmp_path: Path) -> None:
    """The second tree takes a minute. It is kept as the hashes of its files for as long as nothing has changed that it
    is made from, and every package is held against it."""
    architecture = "arm64"  # one is enough
    own = {"pennyworth", "run.sh", "build.json"}
    first = {
        name: content
        for name, content in contents(packaged(architecture, Choice.YES)).items()
        if Path(name).parts[0] not in own
    }
    kept = made("cache", "proofs") / f"litellm-{architecture}-{made_from()}.json"
    if kept.exists():
        second = json.loads(kept.read_text())
    else:
        try:
            second = contents(
                install_dependencies(
                    Target("3.13", architecture), "litellm", interpreter("3.13"), kept=tmp_path
                )
            )
        finally:
            shutil.rmtree(tmp_path)  # too large for pytest to keep
    if first != second:
        kept.unlink(missing_ok=True)
    assert first == second
    for old in kept.parent.glob(f"litellm-{architecture}-*"):
        if old != kept:
            old.unlink()
    kept.write_text(json.dumps(second))


def contents(root: Path) -> dict[str, str]:
    """Each file's content, as a hash."""
    return {name: content for name, (content, _, _) in fingerprint(root).items()}


def made_from() -> str:
    """A hash of all that decides what a tree with LiteLLM holds: locks, builder, interpreter, and this test."""
    source = ROOT / "src" / "pennyworth"
    builder = sorted(path for path in (source / "pipeline" / "build").iterdir() if path.is_file())
    host = [source / "host" / f"{name}.py" for name in ("environments", "interpreters", "processes")]
    locks = [LOCKS / f"{name}.txt" for name in ("litellm", "uv")]
    digest = hashlib.sha256(f"{interpreter('3.13')}".encode())
    for path in (*builder, *host, *locks, Path(__file__)):
        digest.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def test_a_changed_lock_or_builder_has_it_proven_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = made_from()
    assert made_from() == before
    locks = tmp_path / "requirements"
    shutil.copytree(LOCKS, locks)
    monkeypatch.setitem(globals(), "LOCKS", locks)
    assert made_from() == before
    (locks / "litellm.txt").write_text("another==1\n")
    changed = made_from()
    assert changed != before
    shutil.copytree(ROOT / "src", tmp_path / "src")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert made_from() == changed
    with (tmp_path / "src/pennyworth/pipeline/build/trim.toml").open("a") as list_of_omissions:
        list_of_omissions.write("# more\n")
    assert made_from() != changed


@pytest.mark.parametrize("architecture", MACHINES)
@pytest.mark.parametrize(("litellm", "limit"), [(Choice.YES, 200), (Choice.NO, 15)])
def test_a_package_is_small_enough(
    packaged: Packaged, architecture: str, litellm: Choice, limit: int
) -> None:
    assert size(packaged(architecture, litellm)) < limit * MIB


@pytest.mark.parametrize("architecture", MACHINES)
def test_compiled_modules_are_the_targets(packaged: Packaged, architecture: str) -> None:
    modules = list(packaged(architecture, Choice.YES).rglob("*.so"))
    assert len(modules) > 10
    for module in modules:
        with module.open("rb") as handle:
            header = handle.read(20)
        assert header[:4] == b"\x7fELF", module
        assert struct.unpack_from("<H", header, 18)[0] == MACHINES[architecture], module


@pytest.mark.parametrize("litellm", [Choice.YES, Choice.NO])
def test_a_package_holds_the_gateway_and_none_of_its_siblings(packaged: Packaged, litellm: Choice) -> None:
    root = packaged("arm64", litellm)
    assert {path.name for path in (root / "pennyworth").iterdir()} <= {
        "__init__.py",
        "__pycache__",
        "gateway",
    }
    sources = {path.relative_to(ROOT / "src") for path in (ROOT / "src/pennyworth/gateway").rglob("*.py")}
    assert sources
    assert all((root / path).exists() for path in sources)
    assert (root / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (root / "litellm").exists() == (litellm is Choice.YES)
    assert not list(root.rglob("RECORD"))
    assert not (root / "bin").exists()


def test_bytecode_is_there_for_every_module_and_never_checked_against_its_source(packaged: Packaged) -> None:
    root = packaged("arm64", Choice.YES)
    compiler = interpreter("3.13")
    assert json.loads((root / "build.json").read_text()) == {
        "pennyworth": "0.1.0",
        "target": {"python": "3.13", "architecture": "arm64", "system": "linux"},
        "bytecode": compiler and compiler.version,
        "lanes": ["direct", "litellm"],
        "lock": {
            "name": "litellm",
            "sha256": hashlib.sha256((LOCKS / "litellm.txt").read_bytes()).hexdigest(),
        },
    }
    compiled = set(root.rglob("*.pyc"))
    assert bool(compiled) == bool(compiler)
    for path in compiled:
        with path.open("rb") as handle:
            # hash-based, and not checked: https://peps.python.org/pep-0552/
            assert struct.unpack_from("<I", handle.read(8), 4)[0] == 0b01, path
    if compiler:
        sources = set(root.rglob("*.py"))
        assert {path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in sources} == compiled


def test_without_a_python_of_that_version_there_is_a_notice_and_no_bytecode(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert interpreter("3.99") is None  # nobody has it
    target = Target("3.99", "arm64")
    with pytest.raises(BuildFailed, match=r"can't be installed for Python 3\.99, arm64, linux"):
        # PyYAML has no wheel for it either, which comes after the notice
        build(tmp_path / "package", target, Configuration(None, False), Choice.NO)
    assert "no Python 3.99 on this machine" in capsys.readouterr().err


@pytest.mark.parametrize("lock", ["gateway", "litellm"])
def test_every_omission_has_a_reason(lock: str) -> None:
    listed = read_entries(lock)
    assert listed
    assert all(len(entry.reason.split()) > 2 and entry.paths for entry in listed)


def test_an_omission_that_matches_nothing_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "there.txt").touch()
    trim(tmp_path, [Entry("stays", ("*.txt",), keep=("there.txt",))])
    assert (tmp_path / "there.txt").exists()
    for entry in (Entry("gone", ("missing/**",)), Entry("gone", ("*.txt",), keep=("missing.txt",))):
        with pytest.raises(BuildFailed, match="nothing matches 'missing"):
            trim(tmp_path, [entry])


def test_omissions_leave_what_is_kept_and_the_way_to_it(tmp_path: Path) -> None:
    for name in ("data/s3/1.json", "data/sts/1.json", "data/endpoints.json", "data/ec2/1.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    trim(tmp_path, [Entry("services", ("data/*",), keep=("data/*.json", "data/s3", "data/sts/1.json"))])
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"data/s3/1.json", "data/sts/1.json", "data/endpoints.json"}


def write_config(folder: Path, model: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"model_list:\n- model_name: some\n  litellm_params: {{model: {model}, api_key: os.environ/SOME_KEY}}\n"
    )
    return path


@pytest.mark.parametrize(
    ("model", "litellm"), [("openai/gpt-4o", False), ("anthropic/claude-sonnet-4-5", True)]
)
def test_a_configuration_is_packed_as_json_and_decides_about_litellm(
    tmp_path: Path, model: str, litellm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-never-in-a-package")
    settings = read_configuration(write_config(tmp_path, model), "")
    assert settings.needs_litellm is litellm
    assert settings.document
    assert (
        json.loads(settings.document)["model_list"][0]["litellm_params"]["api_key"] == "os.environ/SOME_KEY"
    )


def test_what_a_configuration_includes_is_packed_with_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("include: [models.yaml]\n")
    (tmp_path / "models.yaml").write_text(
        "model_list: [{model_name: m, litellm_params: {model: anthropic/claude}}]\n"
    )
    settings = read_configuration(path, "")
    assert settings.needs_litellm
    assert list(json.loads(settings.document or "")) == ["model_list"]


def test_a_provider_decides_where_there_is_no_configuration() -> None:
    assert not read_configuration(None, "openai").needs_litellm
    assert read_configuration(None, "anthropic").needs_litellm
    assert read_configuration(None, "").needs_litellm  # any may follow at deployment


def test_a_configuration_that_the_gateway_would_refuse_is_not_packed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model_list: nothing\n")
    with pytest.raises(BuildFailed, match="model_list"):
        read_configuration(path, "")


@pytest.mark.parametrize(
    ("environ", "target"),
    [
        ({"PENNYWORTH_TARGET_PYTHON": "python3.12"}, Target("3.12", "arm64")),
        ({"PENNYWORTH_TARGET_ARCHITECTURE": "x86_64"}, Target("3.13", "x86_64")),
        ({"PENNYWORTH_TARGET_SYSTEM": "macos"}, Target("3.13", "arm64", "macos")),
    ],
)
def test_the_environment_names_the_target(environ: dict[str, str], target: Target) -> None:
    assert Target.from_environ(environ) == target
    assert Target.from_environ(target.environ()) == target


@pytest.mark.parametrize("arguments", [("3", "arm64"), ("3.13", "riscv64"), ("3.13", "arm64", "plan9")])
def test_targets_that_do_not_exist_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="no "):
        Target(*arguments)


def test_sam_builds_what_the_template_names_and_only_where_something_changed(tmp_path: Path) -> None:
    config = write_config(tmp_path, "openai/gpt-4o")
    out = tmp_path / "out"

    def package() -> Path:
        return sam_build(Target.here(), config=config, litellm=None, out=out).parent / FUNCTION

    root = package()
    assert json.loads((root / "build.json").read_text())["lanes"] == ["direct"]
    assert f"CodeUri: {ARCHIVE}\n" in (root.parent / "template.yaml").read_text()
    with zipfile.ZipFile(root.parent / ARCHIVE) as zipped:
        names = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        assert set(zipped.namelist()) == names
        assert stat.S_IMODE(zipped.getinfo("run.sh").external_attr >> 16) == 0o755
    assert json.loads((root / "config.json").read_text())["model_list"][0]["model_name"] == "some"
    before = (out / "log").stat().st_mtime_ns
    assert package() == root
    assert (out / "log").stat().st_mtime_ns == before
    config.write_text(config.read_text().replace("some", "another"))
    assert json.loads((package() / "config.json").read_text())["model_list"][0]["model_name"] == "another"


def test_the_same_files_make_the_same_archive_whenever_and_in_whatever_order(tmp_path: Path) -> None:
    digests = set()
    for turn, order in enumerate((("b", "a", "c/d"), ("c/d", "a", "b"))):
        root = tmp_path / str(turn)
        for name in order:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
            (root / name).chmod(0o644)
            os.utime(root / name, (turn, turn))
        write_archive(root, tmp_path / f"{turn}.zip")
        digests.add(compute_digest(tmp_path / f"{turn}.zip"))
    (digest,) = digests
    assert base64.b64decode(digest) == hashlib.sha256((tmp_path / "0.zip").read_bytes()).digest()
    (tmp_path / "0" / "a").write_text("another")
    write_archive(tmp_path / "0", tmp_path / "0.zip")
    assert compute_digest(tmp_path / "0.zip") != digest


def test_a_package_keeps_the_record_of_the_commit_that_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "built" / "template.yaml"
    (template.parent / FUNCTION).mkdir(parents=True)
    assert make_provenance(template, {}) == ""  # another template than this project's
    manifest = {"lock": {"name": "gateway", "sha256": "0123456789abcdef" * 4}}
    (template.parent / FUNCTION / "build.json").write_text(json.dumps(manifest))
    (template.parent / ARCHIVE).write_bytes(b"package")
    monkeypatch.chdir(tmp_path)
    commits = iter(("a" * 40, "b" * 40, ""))
    monkeypatch.setattr(provenance, "ask_git", lambda *_: next(commits))
    first = make_provenance(template, {})
    digest = compute_digest(template.parent / ARCHIVE)
    assert Provenance.find(f"openai arm64 {first} 0a1b2c") == Provenance("a" * 40, digest, "0123456789ab")
    declared = SourceTemplate.read(ROOT / "template.yaml").parameters["Provenance"]
    assert re.fullmatch(declared["AllowedPattern"], first)
    assert make_provenance(template, {"Provenance": first}) == first  # a later commit, the same bytes
    (template.parent / ARCHIVE).write_bytes(b"another")
    second = Provenance.find(make_provenance(template, {"Provenance": first}))
    assert second and second.commit == "b" * 40 and second.package != digest
    unknown = Provenance.find(make_provenance(template, {"Provenance": first}))
    assert unknown and unknown.commit == UNKNOWN  # no repository


def test_a_failed_build_says_why_and_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("[")
    for _ in range(2):
        with pytest.raises(BuildFailed, match="not valid YAML"):
            sam_build(Target.here(), config=config, litellm=False, out=tmp_path / "out")


def test_a_package_starts_with_nothing_but_itself_and_its_own_configuration(
    tmp_path: Path, free_port: int
) -> None:
    config = write_config(tmp_path, "openai/gpt-4o")
    build(tmp_path / "package", Target.here(), read_configuration(config, ""), Choice.AUTO)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(getattr(sys, "_base_executable", sys.executable))
    # as the Web Adapter starts it in Lambda
    app = subprocess.Popen(
        [tmp_path / "package" / "run.sh"],
        cwd=tmp_path / "package",
        env={
            "PATH": f"{programs}{os.pathsep}{os.defpath}",
            "HOME": str(tmp_path),
            "PYTHONNOUSERSITE": "1",
            "LAMBDA_TASK_ROOT": str(tmp_path / "package"),
            "AWS_LWA_PORT": str(free_port),
            "LITELLM_API_KEYS": "key",
        },
    )
    try:
        for _ in range(200):
            try:
                assert get(free_port, "/health")
                break
            except OSError:
                assert app.poll() is None, "the app has ended"
                time.sleep(0.05)
        assert [model["id"] for model in get(free_port, "/v1/models")["data"]] == ["some"]
    finally:
        app.terminate()
        app.wait(10)


def get(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Authorization": "Bearer key"})
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
