"""How lines of the function's log look to people, and which are shown."""

import json
from typing import Any

import pytest

from pennyworth.aws.log_lines import Choice, describe_line


def request(**more: Any) -> str:
    told = {
        "time": "2026-11-23T14:03:22Z",
        "level": "info",
        "message": "request",
        "method": "POST",
        "path": "/v1/chat/completions",
        "model": "one",
        "status": 200,
        "ms": 182.4,
    }
    return json.dumps(told | more)


CRASH = "2026-11-23T14:03:22Z 0f1e Task timed out after 900.00 seconds"
REPORT = "REPORT RequestId: 0f1e\tDuration: 12.00 ms\tBilled Duration: 13 ms"


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_a_request_s_line_has_what_people_look_for() -> None:
    shown = describe_line(request(usage={"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20}))
    assert shown == "14:03:22  POST  /v1/chat/completions  one  200  182 ms  12+8 tokens"
    failed = describe_line(request(status=502, error="upstream_error", model=None), day=True)
    assert failed == "2026-11-23 14:03:22  POST  /v1/chat/completions  -  502  182 ms  upstream_error"


def test_other_lines_say_what_happened_and_where() -> None:
    line = json.dumps(
        {
            "time": "2026-11-23T14:03:22Z",
            "level": "error",
            "message": "unexpected failure",
            "request": "req_1",
            "exception": ["KeyError: app.py:7 run"],
        }
    )
    assert describe_line(line) == (
        "14:03:22  error  unexpected failure  request=req_1\n    KeyError: app.py:7 run"
    )
    assert describe_line(CRASH) == CRASH
    assert describe_line('{"some": "JSON of another"}') == '{"some": "JSON of another"}'


def test_nothing_reaches_the_terminal_that_it_would_act_on() -> None:
    for line in (request(path="/\x1b[2J"), "\x1b[2Jplain", json.dumps({"message": "\x1b[2J", "a": "\x07"})):
        assert not set(describe_line(line)) & {"\x1b", "\x07"}


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        (Choice(), {"ok", "throttled", "failed", "warning", "crash"}),
        (Choice(status="5xx"), {"failed"}),
        (Choice(status="429"), {"throttled"}),
        (Choice(model="two"), {"throttled"}),
        (Choice(model="one", status="5xx"), {"failed"}),
        (Choice(errors=True), {"failed", "crash"}),
    ],
)
def test_only_what_was_asked_for_is_shown(choice: Choice, shown: set[str]) -> None:
    lines = {
        "ok": request(),
        "throttled": request(status=429, model="two"),
        "failed": request(status=502, error="upstream_error"),
        "warning": json.dumps({"level": "warning", "message": "slow"}),
        "crash": CRASH,
        "report": REPORT,
    }
    assert {name for name, line in lines.items() if choice.shows(line)} == shown
