"""Workflow commands: what GitHub reads, and what a terminal must not show."""

import pytest

from pennyworth.github import actions


def test_secrets_are_masked_line_by_line_and_on_github_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    actions.mask("sk-secret")
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    actions.mask("first\n\n  50% second\n")
    assert capsys.readouterr().out == "::add-mask::first\n::add-mask::50%25 second\n"
