"""The release workflow itself, run on this machine against the fake of GitHub's API: what it leaves, and that it leaves
nothing where something fails."""

import hashlib
import io
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.index import Index
from tools.release import distributions
from tools.release.version import Version

from pennyworth import __version__
from pennyworth.host.places import ROOT
from pennyworth.local.github import releases
from pennyworth.local.github.answers import Refused
from pennyworth.local.rehearsal import act
from pennyworth.local.rehearsal.repository import BRANCH, REPOSITORY, Rehearsal, Repository

PREPARE = "Check and commit the version, build the archives"
ATTEST = "Attest the build"
PUBLISH = "Publish"
PYPI = "Publish on PyPI"
NEXT = str(Version(Version.of(__version__).major + 1, 0, 0))
WRITES = {"POST", "PATCH", "DELETE", "PUT"}


@pytest.fixture
def repository() -> Iterator[Repository]:
    with Repository(None) as repository:
        checks(repository, "echo checked")
        yield repository


def checks(repository: Repository, command: str) -> None:
    """What stands for everything that must hold: this test is one of it."""
    repository.write(".ci/run", f"#!/usr/bin/env bash\nset -euo pipefail\n{command}\n")


def release(repository: Repository, version: str, **more: Any) -> Rehearsal:
    inputs = {"version": version, **more.pop("inputs", {})}
    return repository.run("release.yml", event="workflow_dispatch", inputs=inputs, **more)


def steps(rehearsal: Rehearsal) -> dict[str, bool]:
    return {step.name: step.succeeded for step in rehearsal.job.steps}


def left(repository: Repository) -> dict[str, Any]:
    """What anybody could see of a release."""
    github = repository.github
    return {
        "releases": [one["tag_name"] for one in github.releases.all.values()],
        "tags": github.commits.tags(),
        "main": github.commits.git("log", "-1", "--format=%s", BRANCH),
    }


NOTHING = {"releases": [], "tags": [], "main": "Rehearse"}


def test_a_release_is_a_signed_commit_a_tag_and_attested_files(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal = release(repository, NEXT)
    assert rehearsal.job.succeeded, rehearsal.job.output
    assert "checked" in rehearsal.job.output
    github, tag = repository.github, f"v{NEXT}"
    assert left(repository) == {"releases": [tag], "tags": [tag], "main": f"Release {NEXT}"}

    commit = github.commits.head(BRANCH)
    assert commit and github.commits.ref(f"tags/{tag}") == commit
    described = github.commits.commit_of(commit)
    assert described["verification"]["verified"]
    changed = github.commits.git("diff-tree", "-r", "--no-commit-id", "--name-only", commit).splitlines()
    assert {"pyproject.toml", "src/pennyworth/__init__.py", "actions/build/README.md"} <= set(changed)
    assert not [name for name in changed if name.startswith(".github/workflows/")]
    pins = re.findall(
        r"OWNER/REPOSITORY/\S+@v(\d\S+)",
        github.commits.git("grep", "-h", "OWNER/REPOSITORY", commit, "--", "*.md"),
    )
    assert len(pins) > 5 and set(pins) == {NEXT}

    files = github.releases.content(tag)
    source, wheel, sums = f"pennyworth-{NEXT}.tar.gz", f"pennyworth-{NEXT}-py3-none-any.whl", "SHA256SUMS"
    assert set(files) == {source, wheel, sums}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert files[sums].decode() == "".join(f"{digests[name]}  {name}\n" for name in sorted((source, wheel)))
    with zipfile.ZipFile(io.BytesIO(files[wheel])) as archive:
        metadata = archive.read(f"pennyworth-{NEXT}.dist-info/METADATA").decode()
    assert Parser().parsestr(metadata)["Version"] == NEXT
    (statement,) = (json.loads(line) for line in rehearsal.job.output if line.startswith('{"_type"'))
    assert {one["name"]: one["digest"]["sha256"] for one in statement["subject"]} == {
        name: digests[name] for name in (source, wheel)
    }

    (published,) = github.releases.published()
    assert published["immutable"] and published["target_commitish"] == commit
    assert f"deploy.yml@{tag}" in published["body"] and commit in published["body"]
    assert "/attestations/1" in published["body"] and "What's Changed" in published["body"]
    assert f"[{NEXT}](" in rehearsal.summary and digests[wheel] in rehearsal.summary

    # anybody who builds the tag gets the same bytes
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    unpack = ["tar", "-x", "-f", "-", "-C", str(checkout)]
    subprocess.run(unpack, input=export(github.commits.folder, tag), check=True)
    seconds = int(github.commits.git("show", "--no-patch", "--format=%ct", commit))
    rebuilt = {
        path.name: path.read_bytes() for path in distributions.build(checkout, tmp_path / "dist", seconds)
    }
    assert rebuilt == files

    again = release(repository, NEXT)
    assert steps(again)[PREPARE] is False and PUBLISH not in steps(again)
    assert f"{NEXT} is released already. Name a greater one." in again.summary
    assert PYPI not in steps(rehearsal)

    greater = f"{NEXT[:-1]}1"
    repository.variables["PUBLISH_TO_PYPI"] = "true"
    with Index(tmp_path, repository=REPOSITORY) as index, monkeypatch.context() as patch:
        for name, value in index.environ.items():
            patch.setenv(name, value)
        published_too = release(repository, greater)
    assert published_too.job.succeeded, published_too.job.output
    assert f"compare/{tag}...v{greater}" in github.releases.published()[0]["body"]
    files = github.releases.content(f"v{greater}")
    assert index.files == {name: files[name] for name in files if name != sums}
    assert f"{greater} is on PyPI." in published_too.summary


def export(folder: Path, tag: str) -> bytes:
    done = subprocess.run(
        ["git", "archive", "--format=tar", tag], cwd=folder, check=True, capture_output=True
    )
    return done.stdout


def test_what_is_tried_has_no_rights() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["check"]["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["release"]["needs"] == "check"
    pypi = workflow["jobs"]["pypi"]
    assert pypi["needs"] == "release" and pypi["environment"] == "pypi"
    assert pypi["permissions"] == {"contents": "read", "id-token": "write"}


def test_a_dry_run_builds_and_changes_nothing(repository: Repository) -> None:
    rehearsal = release(repository, NEXT, inputs={"dry-run": "true"})
    assert rehearsal.job.succeeded, rehearsal.job.output
    assert f"pennyworth-{NEXT}-py3-none-any.whl" in rehearsal.summary
    assert not {ATTEST, PUBLISH} & set(steps(rehearsal))
    assert left(repository) == NOTHING
    assert not [one for one in repository.github.exchanges if one.request.method in WRITES]


def test_a_version_that_is_none_is_refused_and_nobodys_command(
    repository: Repository, tmp_path: Path
) -> None:
    owned = tmp_path / "owned"
    rehearsal = release(repository, f"9.0.0; touch {owned}")
    assert steps(rehearsal)[PREPARE] is False and PUBLISH not in steps(rehearsal)
    assert "is no version" in rehearsal.summary
    assert not owned.exists()
    assert left(repository) == NOTHING


def test_no_branch_but_main_is_released(repository: Repository) -> None:
    rehearsal = release(repository, NEXT, branch="feature")
    assert steps(rehearsal)[PREPARE] is False
    assert "Releases are made of main" in rehearsal.summary
    assert left(repository)["releases"] == left(repository)["tags"] == []


def test_nothing_is_released_that_fails_a_check(repository: Repository) -> None:
    checks(repository, "echo broken; exit 1")
    rehearsal = release(repository, NEXT)
    assert not rehearsal.job.succeeded
    assert PREPARE not in steps(rehearsal)
    assert left(repository) == NOTHING
    assert not repository.github.exchanges


def test_a_main_that_moves_meanwhile_is_left_alone(repository: Repository) -> None:
    commits = repository.github.commits

    def push(step: act.Step) -> None:
        if step.name == ATTEST:
            new = commits.git("commit-tree", f"{BRANCH}^{{tree}}", "-p", BRANCH, "-m", "Somebody else's")
            commits.git("update-ref", f"refs/heads/{BRANCH}", new)

    rehearsal = release(repository, NEXT, report=push)
    assert steps(rehearsal)[PUBLISH] is False
    assert "Update is not a fast forward" in rehearsal.summary
    assert "Neither a draft nor a tag is left of it" in rehearsal.summary
    assert left(repository) == NOTHING | {"main": "Somebody else's"}


def test_a_file_that_github_refuses_leaves_nothing(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach = releases.Releases.attach

    def refuse(self: releases.Releases, release: Any, name: str, content: bytes, media_type: str) -> Any:
        if name == distributions.CHECKSUMS or "py3" in name:
            raise Refused(422, "no more room")
        return attach(self, release, name, content, media_type)

    monkeypatch.setattr(releases.Releases, "attach", refuse)
    rehearsal = release(repository, NEXT)
    assert steps(rehearsal)[PUBLISH] is False
    assert "422 no more room" in rehearsal.summary
    assert left(repository) == NOTHING


def test_a_release_that_is_not_published_is_made_up_for_by_the_next_run(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: releases.Releases, release: Any) -> None:
        raise Refused(422, "not today")

    with monkeypatch.context() as today:
        today.setattr(releases.Releases, "_publish", refuse)
        rehearsal = release(repository, NEXT)
    assert steps(rehearsal)[PUBLISH] is False
    assert left(repository) == NOTHING | {"main": f"Release {NEXT}"}
    assert release(repository, NEXT).job.succeeded
    assert left(repository)["tags"] == [f"v{NEXT}"]


def test_a_release_that_can_be_changed_is_warned_of(repository: Repository) -> None:
    repository.github.releases.immutable = False
    rehearsal = release(repository, NEXT)
    assert rehearsal.job.succeeded, rehearsal.job.output
    assert any("Switch release immutability on" in warning for warning in rehearsal.job.warnings)
    assert "It can still be changed." in rehearsal.summary
