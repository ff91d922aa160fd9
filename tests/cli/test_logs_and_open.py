"""`pennyworth logs` and `open`, against a small stack in the local AWS."""

import itertools
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.shell import REGION, Shell

from pennyworth.aws.function_log import FunctionLog
from pennyworth.cli.open import has_display
from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT

STACK = "endpoint"
GROUP = f"/aws/lambda/{STACK}"
URL = "https://api.example.com/v1"
TEMPLATE = {
    "Resources": {"LogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}}},
    "Outputs": {
        "LogGroupName": {"Value": {"Ref": "LogGroup"}},
        "FunctionName": {"Value": "endpoint-Function-1"},
        "ApiUrl": {"Value": "https://a1.execute-api.us-west-2.amazonaws.com/v1"},
        "CustomDomainUrl": {"Value": URL},
    },
}
PLACE = ("--stack-name", STACK, "--region", REGION)


class Log:
    """The function's log, to be written."""

    def __init__(self, shell: Shell) -> None:
        self.client = shell.client("logs")
        self.client.create_log_stream(logGroupName=GROUP, logStreamName="one")

    def write(self, *lines: Any, ago: float = 0) -> None:
        at = int((time.time() - ago) * 1000)
        events = [
            {"timestamp": at, "message": line if isinstance(line, str) else json.dumps(line)}
            for line in lines
        ]
        self.client.put_log_events(logGroupName=GROUP, logStreamName="one", logEvents=events)


def answered(path: str, status: int = 200, model: str = "one") -> dict[str, Any]:
    return {
        "time": "2026-11-23T14:03:22Z",
        "level": "info",
        "message": "request",
        "method": "POST",
        "path": path,
        "model": model,
        "status": status,
        "ms": 12,
    }


@pytest.fixture
def log(shell: Shell) -> Log:
    cloudformation = shell.client("cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    return Log(shell)


def test_requests_are_shown_one_a_line(shell: Shell, log: Log) -> None:
    log.write(answered("/v1/old"), ago=7200)
    log.write(answered("/v1/models"), answered("/v1/chat", 502), "START RequestId: 1")
    done = shell.pennyworth("logs", *PLACE)
    assert not done.returncode, done.stderr
    first, second = done.stdout.splitlines()
    assert first.endswith("POST  /v1/models  one  200  12 ms")
    assert second.endswith("POST  /v1/chat  one  502  12 ms")
    raw = shell.pennyworth("logs", *PLACE, "--since", "1d", "--status", "2xx", "--json")
    assert [json.loads(line)["path"] for line in raw.stdout.splitlines()] == ["/v1/old", "/v1/models"]
    assert "No such lines" in shell.pennyworth("logs", *PLACE, "--model", "other").stderr
    wrong = shell.pennyworth("logs", *PLACE, "--since", "soon")
    assert wrong.returncode == 2 and "expected a duration such as 10m" in wrong.stderr


def test_following_shows_what_comes_and_ends_quietly_with_ctrl_c(shell: Shell, log: Log) -> None:
    log.write(answered("/v1/before"))
    following = subprocess.Popen(
        [environment("tools") / "python", "-m", "pennyworth.cli", "logs", *PLACE, "--follow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=shell.environ,
        cwd=ROOT,
    )
    try:
        assert following.stdout
        assert "/v1/before" in following.stdout.readline()
        log.write(answered("/v1/meanwhile"))
        assert "/v1/meanwhile" in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        rest, told = following.communicate(timeout=60)
    finally:
        following.kill()
    assert following.returncode == 0
    assert not rest
    assert "Traceback" not in told and "Press Ctrl-C" in told


def test_what_comes_late_is_shown_and_nothing_twice(
    shell: Shell, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write("first", "second")
    turns = iter([lambda: log.write("late", ago=5), lambda: log.write("last")])
    monkeypatch.setattr("pennyworth.aws.function_log.time.sleep", lambda _seconds: next(turns)())
    events = FunctionLog(log.client, GROUP).follow(time.time() - 60)
    assert [event.line for event in itertools.islice(events, 4)] == ["first", "second", "late", "last"]


def test_a_log_group_that_there_is_not_is_named(shell: Shell) -> None:
    with pytest.raises(OperationFailed, match="There is no log group /nowhere"):
        list(FunctionLog(shell.client("logs"), "/nowhere").fetch(0))


def test_a_stack_that_there_is_not_is_named_to_programs_too(shell: Shell) -> None:
    done = shell.pennyworth("open", "--stack-name", "nowhere", "--region", REGION, "--json")
    assert done.returncode == 1
    (error,) = json.loads(done.stdout).values()
    assert error["command"] == "open" and error["exit_status"] == 1
    assert error["message"] in done.stderr
    assert "There is no stack nowhere in us-west-2" in error["message"]


def test_pages_are_opened_or_printed(shell: Shell, log: Log, tmp_path: Path) -> None:
    links = json.loads(shell.pennyworth("open", *PLACE, "--json").stdout)
    assert links["url"] == URL
    assert links["dashboard"] is None
    assert "stack/endpoint/" in links["stack"].replace("%2F", "/")
    assert shell.pennyworth("open", *PLACE, "--url", "--print").stdout == f"{URL}\n"
    missing = shell.pennyworth("open", *PLACE)
    assert missing.returncode == 1 and "Monitoring=yes" in missing.stderr
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    done = shell.pennyworth("open", *PLACE, "--logs", BROWSER=f"{browser} %s")
    assert not done.stdout
    assert opened.read_text().strip() == links["logs"]


@pytest.mark.parametrize(
    ("environ", "system", "has"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1"}, "linux", False),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "1"}, "darwin", False),
        ({"BROWSER": "w3m"}, "linux", True),
    ],
)
def test_a_browser_is_opened_only_where_it_can_be_seen(
    environ: dict[str, str], system: str, has: bool
) -> None:
    assert has_display(environ, system) is has
