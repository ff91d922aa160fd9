"""Versions: which is one, which is greater, and that every place which states the project's agrees."""

import hashlib
import io
import shutil
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.index import Index
from tools.release import distributions, prepare, pypi
from tools.release.version import Version, WrongVersion, latest, restated, statements

from pennyworth import __version__
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT
from pennyworth.local.github import FakeGitHub
from pennyworth.local.rehearsal.issuer import Run, TokenIssuer

REPOSITORY = "example/pennyworth"
Publish = Callable[[dict[str, str], str], dict[str, bytes]]


def test_every_place_states_the_same_version() -> None:
    found = list(statements(ROOT))
    assert {"pyproject.toml", "src/pennyworth/__init__.py", "actions/build/README.md"} <= {
        one.file for one in found
    }
    assert {one for one in found if one.version != __version__} == set()


def test_every_page_with_a_use_of_ours_names_the_release() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("actions/*/README.md")]
    uses = [
        line for page in pages for line in page.read_text().splitlines() if "uses: OWNER/REPOSITORY/" in line
    ]
    assert len(uses) >= len(list(ROOT.glob("actions/*/action.yml")))
    assert [line for line in uses if not line.partition(" #")[0].rstrip().endswith(f"@v{__version__}")] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.0",
        "v1.0.0",
        "1.0.0-rc.1",
        "1.0.0.0",
        "01.0.0",
        "1.0.x",
        "1.0.0\n",
        "-1.0.0",
        "1\uff11.0.0",
    ],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(WrongVersion, match=r"is no version\. Name three numbers, such as 0\.2\.0"):
        Version.of(text)


def test_versions_are_ordered_by_their_numbers() -> None:
    assert Version.of("0.10.0") > Version.of("0.9.9")
    assert latest(["v0.9.9", "v0.10.0", "somebodys", "v1", "v0.2.0"]) == Version(0, 10, 0)
    assert latest(["v1-beta"]) is None
    assert Version.of("1.2.3").tag == "v1.2.3" and str(Version.of("1.2.3")) == "1.2.3"


def test_a_version_is_written_wherever_it_is_stated_and_nowhere_else(tmp_path: Path) -> None:
    pages = {
        "pyproject.toml": 'name = "x"\nversion = "0.1.0"\nother = "0.1.0"\n',
        "src/pennyworth/__init__.py": '"""0.1.0"""\n\n__version__ = "0.1.0"\n',
        "README.md": "uses: OWNER/REPOSITORY/actions/a@v0.1.0\nuses: actions/checkout@v0.1.0\n",
        "docs/deep/page.md": "- uses: OWNER/REPOSITORY/.github/workflows/x.yml@v0.1.0 # why\n",
        "actions/a/README.md": "nothing\n",
        ".github/workflows/x.md": "uses: OWNER/REPOSITORY/.github/workflows/x.yml@v0.1.0\n",
    }
    for name, text in pages.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [(one.file, one.line) for one in statements(tmp_path)] == [
        ("pyproject.toml", 2),
        ("src/pennyworth/__init__.py", 3),
        ("README.md", 1),
        ("docs/deep/page.md", 1),
    ]
    assert restated(tmp_path, Version(0, 2, 0)) == {
        "pyproject.toml": 'name = "x"\nversion = "0.2.0"\nother = "0.1.0"\n',
        "src/pennyworth/__init__.py": '"""0.1.0"""\n\n__version__ = "0.2.0"\n',
        "README.md": "uses: OWNER/REPOSITORY/actions/a@v0.2.0\nuses: actions/checkout@v0.1.0\n",
        "docs/deep/page.md": "- uses: OWNER/REPOSITORY/.github/workflows/x.yml@v0.2.0 # why\n",
    }
    assert restated(tmp_path, Version(0, 1, 0)) == {}


def test_the_archives_are_the_same_bytes_whenever_they_are_built(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    built = []
    for name in ("one", "other"):
        checkout = tmp_path / name
        for part in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "src/pennyworth/host", *carried):
            (checkout / part).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, checkout / part, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(ROOT / part, checkout / part)  # with another time and mode
        if name == "other":
            (checkout / "README.md").chmod(0o600)
            (checkout / "template.yaml").chmod(0o600)
        files = distributions.build(checkout, checkout / "dist", 1_700_000_000)
        built.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
    assert built[0] == built[1]
    assert len(built[0]) == 3 and distributions.CHECKSUMS in built[0]


@pytest.fixture
def released(tmp_path: Path) -> Iterator[tuple[FakeGitHub, dict[str, str]]]:
    """A release with two files, and the environment of the job that publishes it on PyPI."""
    wheel = f"pennyworth-{__version__}-py3-none-any.whl"
    with FakeGitHub(REPOSITORY, tmp_path / "github.git") as github:
        commits = github.commits
        commits.git(
            "update-ref", "refs/heads/main", commits.git("commit-tree", commits.git("mktree"), "-m", "x")
        )
        draft = github.releases.add({"tag_name": f"v{__version__}", "draft": True})
        content = {
            wheel: zipped(f"pennyworth-{__version__}.dist-info/METADATA"),
            distributions.CHECKSUMS: b"sums",
        }
        for name, file in content.items():
            github.releases.attach(draft, name, file, "application/octet-stream")
        github.releases.change(draft, {"draft": False})
        yield (
            github,
            {
                "VERSION": __version__,
                "DIGESTS": f"{wheel}={hashlib.sha256(content[wheel]).hexdigest()}",
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_TOKEN": github.grant({"contents": "read"}),
                "GITHUB_API_URL": github.api_url,
            },
        )


def zipped(metadata: str) -> bytes:
    """The smallest wheel that uv publishes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(metadata, f"Metadata-Version: 2.4\nName: pennyworth\nVersion: {__version__}\n")
    return file.getvalue()


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Run the job's step with a token for an environment. Returns what an index that trusts `pypi` has then."""

    def run(environ: dict[str, str], environment: str) -> dict[str, bytes]:
        job = Run(
            REPOSITORY, "main", "workflow_dispatch", ".github/workflows/release.yml", "0" * 40, environment
        )
        trusted = Index(tmp_path, repository=REPOSITORY, environment="pypi", workflow="release")
        with trusted as index, TokenIssuer(job) as issuer, monkeypatch.context() as patch:
            for name, value in {**issuer.environ, **index.environ, "GITHUB_ACTIONS": "true"}.items():
                patch.setenv(name, value)
            pypi.run(environ)
        return index.files

    yield run


def test_pypi_gets_what_github_hands_out(
    released: tuple[FakeGitHub, dict[str, str]], publish: Publish
) -> None:
    github, environ = released
    (name,) = (word.partition("=")[0] for word in environ["DIGESTS"].split())
    assert publish(environ, "pypi") == {name: github.releases.content(f"v{__version__}")[name]}


@pytest.mark.parametrize(
    ("environment", "digest", "message"),
    [
        ("another", "", f"{__version__} is not on PyPI"),
        ("pypi", "0" * 64, "is not the file that this run built"),
    ],
)
def test_pypi_gets_nothing_from_another_job_or_of_another_build(
    released: tuple[FakeGitHub, dict[str, str]],
    publish: Publish,
    environment: str,
    digest: str,
    message: str,
) -> None:
    _, environ = released
    name, _, built = environ["DIGESTS"].partition("=")
    with pytest.raises(OperationFailed) as caught:
        publish({**environ, "DIGESTS": f"{name}={digest or built}"}, environment)
    assert message in caught.value.title


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("0.3.0", "0.3.0 is released already. Name a greater one."),
        ("0.2.9", "0.2.9 is not greater than 0.3.0, the last release."),
        ("0.3.1", "0.3.1 is less than 0.4.0, which the sources state."),
    ],
)
def test_a_version_that_is_not_newer_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, message: str
) -> None:
    (tmp_path / "src" / "pennyworth").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('version = "0.4.0"\n')
    (tmp_path / "src" / "pennyworth" / "__init__.py").write_text('__version__ = "0.4.0"\n')
    monkeypatch.chdir(tmp_path)
    with FakeGitHub(REPOSITORY, tmp_path / "github.git") as github:
        commits = github.commits
        commit = commits.git("commit-tree", commits.git("mktree"), "-m", "First")
        for ref in ("heads/main", "tags/v0.3.0", "tags/v-somebodys"):
            commits.git("update-ref", f"refs/{ref}", commit)
        environ = {
            "VERSION": version,
            "BRANCH": "main",
            "DIST": str(tmp_path / "dist"),
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_SHA": commit,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_TOKEN": github.grant({"contents": "write"}),
            "GITHUB_API_URL": github.api_url,
        }
        refused(environ, message)
        refused({**environ, "GITHUB_SHA": "0" * 40}, "It is at")
        refused({**environ, "GITHUB_TOKEN": github.grant({})}, "add contents: read to the job's")
    assert not (tmp_path / "dist").exists()


def refused(environ: dict[str, Any], message: str) -> None:
    with pytest.raises(OperationFailed) as caught:
        prepare.run(environ)
    assert message in caught.value.message
