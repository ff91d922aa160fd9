"""What a run's page says of a failure, whatever it was."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.failures import explain
from pennyworth.pipeline.steps import runner

KEY, PROVIDER, TOKEN = "sk-canary-0123456789", "canary-provider-key", "canary-session-token"


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    monkeypatch.setenv("LITELLM_API_KEYS", f"{KEY}, sk-other-0123456789")
    monkeypatch.setenv("PROVIDER_CREDENTIALS", f"OPENAI_API_KEY={PROVIDER}")
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setattr(runner, "_enter_tools", lambda *_: None)
    return path


def run(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> int:
    """A step that raises."""

    def step(_: dict[str, str]) -> str:
        raise failure

    monkeypatch.setitem(sys.modules, "odd.a_step", SimpleNamespace(run=step, TITLE="A step"))
    return runner.run_step("odd", "a-step")


def test_what_nobody_foresaw_is_reported_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, summary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, ValueError(f"Invalid header value b'Bearer {KEY}\\n' {PROVIDER} {TOKEN}")) == 1
    told = capfd.readouterr()
    group, _, rest = told.out.partition("::endgroup::")
    assert group.startswith("::group::Traceback\nTraceback (most recent call last):")
    assert "ValueError: Invalid header value b'Bearer ***" in group
    assert "\n::error title=An unexpected error%3A ValueError::This is a mistake" in rest
    page = summary.read_text()
    assert page.startswith("### ❌ A step (") and "**An unexpected error: ValueError.**" in page
    for secret in (KEY, PROVIDER, TOKEN):
        assert secret not in f"{told.out}{told.err}{page}"
    assert not told.err


def test_a_step_that_can_not_even_begin_is_reported(monkeypatch: pytest.MonkeyPatch, summary: Path) -> None:
    assert runner.run_step("pennyworth.pipeline.steps", "no-such-step") == 1
    assert "### ❌ No such step (" in summary.read_text()

    def broken(*_: str) -> None:
        raise PermissionError(13, "Permission denied", "/tools")

    monkeypatch.setattr(runner, "_enter_tools", broken)
    assert runner.run_step("pennyworth.pipeline.steps", "settings") == 1
    assert "**An unexpected error: PermissionError.**" in summary.read_text()


@pytest.mark.parametrize(
    ("failure", "title", "advice"),
    [
        (OperationFailed("It is so", "Do this.", "because"), "It is so", "Do this."),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetRole"),
            "AWS refuses a call",
            "`pennyworth bootstrap`",
        ),
        (
            ClientError({"Error": {"Code": "ExpiredToken", "Message": "late"}}, "DescribeStacks"),
            "The AWS credentials have expired",
            "`role-duration-seconds`",
        ),
        (EndpointConnectionError(endpoint_url="https://sts"), "AWS refuses a call", "run this again"),
    ],
)
def test_what_is_known_is_told_as_it_is(failure: Exception, title: str, advice: str) -> None:
    explained = explain(failure)
    assert explained.title == title and advice in explained.message
    assert explained.detail or explained is failure
