"""What commands print with --json: one object on standard output, and everything else on standard error."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pennyworth import cli
from pennyworth.cli import build, rehearse
from pennyworth.local.rehearsal.act import Job, Step
from pennyworth.local.rehearsal.repository import Rehearsal
from pennyworth.pipeline.build import FUNCTION, Package


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("bootstrap", "--region", "us-east-1"), 2, "add --yes or --dry-run"),
        (("bootstrap", "--region", "us-east-1", "--delete"), 2, "add --yes or --dry-run"),
        (("build", "--python", "2"), 1, "2"),
        (("demo",), 2, "--json goes with --check"),
        (("rehearse", "--repo", "nobody"), 2, "--repo takes OWNER/NAME"),
        (("rehearse", "--event", "schedule"), 2, "deploy takes --event push or workflow_dispatch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_failure_is_an_object(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], status: int, message: str
) -> None:
    assert cli.main([*words, "--json"]) == status
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["command"], error["exit_status"]) == (words[0], status)
    assert message in error["message"]


def test_a_build_tells_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(
        build, "build_package", lambda _: Package(tmp_path / "template.yaml", 5, tmp_path / "a.zip", "digest")
    )
    assert cli.main(["build", "--python", "3.13", "--architecture", "arm64", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "template": str(tmp_path / "template.yaml"),
        "package": str(tmp_path / FUNCTION),
        "archive": str(tmp_path / "a.zip"),
        "digest": "digest",
        "bytes": 5,
        "parameters": {"PythonRuntime": "python3.13", "Architecture": "arm64"},
    }


@pytest.mark.parametrize("succeeded", [True, False])
def test_a_rehearsal_tells_its_steps_and_where_its_summary_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, *, succeeded: bool
) -> None:
    job = Job(succeeded, [Step("Deploy", succeeded, 1.5, "deploy")], summary="done", errors=["late"])
    ran = Rehearsal(job, "trusted", "trusted", {}, tmp_path / "log")
    monkeypatch.setattr(rehearse, "raise_on_signals", lambda: None)
    monkeypatch.setattr(rehearse, "environment", lambda _: tmp_path)
    monkeypatch.setattr(rehearse, "keep_page", lambda name, _: tmp_path / f"{name}.html")
    monkeypatch.setattr(rehearse, "LocalAws", _Opened)
    monkeypatch.setattr(rehearse, "Repository", lambda *_, **__: _Opened(run=lambda *_, **__: ran))
    status = cli.main(["rehearse", "--summary", "--json"])
    told = capsys.readouterr()
    assert status == (0 if succeeded else 1)
    assert json.loads(told.out) == {
        "workflow": "deploy",
        "succeeded": succeeded,
        "steps": [{"name": "Deploy", "succeeded": succeeded, "seconds": 1.5, "job": "deploy", "inside": ""}],
        "errors": ["late"],
        "warnings": [],
        "summary": str(tmp_path / "deploy.html"),
        "log": str(tmp_path / "log"),
    }
    assert "done" in told.err and "late" in told.err


class _Opened(SimpleNamespace):
    """Stands for what a rehearsal starts."""

    github = SimpleNamespace(issues={})

    def __init__(self, **values: Any) -> None:
        values.pop("auth", None)
        super().__init__(**values)

    def __enter__(self) -> "_Opened":
        return self

    def __exit__(self, *_: object) -> None:
        pass
