"""Progress lines: readable in a log and on a terminal."""

import io
import re
import sys
import time

import pytest

from pennyworth.host import progress
from pennyworth.host.progress import note, say, step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(text: str) -> list[str]:
    """What a terminal shows of what was written to it."""
    return [re.sub(r".*\r\x1b\[K", "", line) for line in text.removesuffix("\n").split("\n")]


def test_a_log_gets_a_line_for_begin_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    with step("deploying") as detail:
        detail("2 resources")
        detail("1 change")
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"  · deploying \.\.\.\n  ✓ deploying \(2 resources, 1 change\) \d+\.\d s\n", err)


def test_a_failed_step_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), step("dividing"):
        _ = 1 / 0
    assert re.search(r"  ✗ dividing \d", capsys.readouterr().err)


def test_a_terminal_shows_one_line_a_step_and_none_of_them_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with step("outer"):
        with step("inner"):
            pass
        say("said")
    with step("next"):
        pass
    lines = [re.sub(r" \d+\.\d s$", "", line) for line in shown(terminal.getvalue())]
    assert lines == ["  · outer ...", "  ✓ inner", "said", "  ✓ outer", "  ✓ next"]


def test_a_terminal_shows_how_long_a_quiet_step_takes_and_what_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_TICK_SECONDS", 0.01)
    monkeypatch.setenv("COLUMNS", "60")

    def wait_for(text: str) -> None:
        deadline = time.monotonic() + 10
        while text not in terminal.getvalue():
            assert time.monotonic() < deadline, terminal.getvalue()
            time.sleep(0.01)

    with step("outer"):
        with step("installing"):
            note("Downloading a thing (3 MiB)")
            wait_for("· installing ... Downloading a thing (3 MiB), 0 s")
            note("x" * 100)
            wait_for("xxx\r")
        wait_for("· outer ... 0 s")
        say("said")
    assert max(map(len, re.split(r"\r\x1b\[K|\n", terminal.getvalue()))) < 60
    lines = [re.sub(r" \d+\.\d s$", "", line) for line in shown(terminal.getvalue())]
    assert lines == ["  · outer ...", "  ✓ installing", "said", "  ✓ outer"]
