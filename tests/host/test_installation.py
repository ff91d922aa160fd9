"""How an installed package knows where it came from, and how it was run."""

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pennyworth.host import installation
from pennyworth.host.installation import Origin, find_command, find_origin

GIT = {
    "url": "https://github.com/owner/project",
    "vcs_info": {"vcs": "git", "commit_id": "0" * 40, "requested_revision": "v1"},
}
SOURCE = "git+https://github.com/owner/project@v1"


class Distribution:
    """What importlib.metadata finds."""

    def __init__(self, recorded: Any) -> None:
        self.recorded = recorded

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.recorded and json.dumps(self.recorded)


def install(monkeypatch: pytest.MonkeyPatch, recorded: Any, prefix: str = "") -> None:
    monkeypatch.setattr(installation, "is_checkout", lambda: False)
    monkeypatch.setattr(metadata, "distribution", lambda _name: Distribution(recorded))
    if prefix:
        monkeypatch.setattr(sys, "prefix", prefix)


@pytest.mark.parametrize(
    ("recorded", "origin"),
    [
        (GIT, Origin(SOURCE, "https://github.com/owner/project", "0" * 40)),
        ({"url": "file:///some/my%20folder", "dir_info": {}}, Origin("/some/my folder")),
        ({"url": "https://host/a.whl", "archive_info": {}}, Origin("https://host/a.whl")),
        (None, None),
    ],
)
def test_the_origin_is_what_the_installer_recorded(
    monkeypatch: pytest.MonkeyPatch, recorded: Any, origin: Origin | None
) -> None:
    install(monkeypatch, recorded)
    assert find_origin() == origin


@pytest.mark.parametrize(
    ("prefix", "recorded", "command"),
    [
        ("/home/me/.cache/uv/archive-v0/x1Y2z3", GIT, f"uvx --from {SOURCE} pennyworth"),
        ("/home/me/.cache/uv/environments-v2/a-1", None, "uvx pennyworth"),
        ("/home/me/.cache/pipx/ee8ddc58f0dd85f", GIT, f"pipx run --spec {SOURCE} pennyworth"),
        ("/home/me/.local/pipx/.cache/ee8ddc58f0dd85f", None, "pipx run pennyworth"),
        ("/home/me/my venv", GIT, "'/home/me/my venv/bin/pennyworth'"),
    ],
)
def test_the_command_is_the_one_that_was_typed(
    monkeypatch: pytest.MonkeyPatch, prefix: str, recorded: Any, command: str
) -> None:
    install(monkeypatch, recorded, prefix)
    assert find_command() == command


def test_a_command_on_path_needs_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program, link = tmp_path / "tools" / "bin" / "pennyworth", tmp_path / "path" / "pennyworth"
    for file in (program, link):
        file.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    link.symlink_to(program)
    monkeypatch.setenv("PATH", str(link.parent))
    install(monkeypatch, GIT, str(tmp_path / "tools"))
    assert find_command() == "pennyworth"
