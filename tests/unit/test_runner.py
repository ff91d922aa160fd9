"""The command that judges everything else: what fails must be seen to fail."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.__main__ import main
from tests.lint import Check
from tests.runner import Outcome, Runner, environ

from pennyworth.host.places import ROOT

TESTS = """
import pytest

def test_right(): pass

def test_wrong(): assert 1 == 2, "numbers differ"

@pytest.fixture
def broken(): raise OSError("no disk")

def test_broken(broken): pass

@pytest.mark.skip(reason="no tape drive")
def test_skipped(): pass
"""

Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(source: str, *options: str) -> Outcome:
        folder = tmp_path / "folder"
        folder.mkdir(exist_ok=True)
        (folder / "test_some.py").write_text(source)
        return Runner(tmp_path, follow=False).pytest("some", folder, options)

    return run


def test_each_test_is_counted_and_failing_output_shown(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run(TESTS)
    assert outcome.passed == 1
    assert [name.rpartition("::")[2] for name in outcome.failed] == ["test_wrong", "test_broken"]
    assert [reason for _, reason in outcome.skipped] == ["no tape drive"]
    assert outcome.counts() == "1 passed, 2 failed, 1 skipped"
    shown = capsys.readouterr().err
    assert "numbers differ" in shown
    assert "no disk" in shown


def test_passing_output_is_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("def test_right(): print('noise')")
    assert capsys.readouterr().err.startswith("  ✓ some  1 passed, 0 failed ")


@pytest.mark.parametrize(
    ("source", "options", "failed"),
    [
        ("", (), True),
        ("def test_right(): pass", ("-k", "nothing"), False),
        ("def test_right(): pass", ("--no-such-option",), True),
        ("import no_such_module", (), True),
        ("import os\ndef test_dies(): os._exit(0)", (), True),
    ],
    ids=["no tests", "none selected", "wrong option", "broken import", "pytest dies"],
)
def test_what_did_not_run_has_failed(run: Run, source: str, options: tuple[str, ...], failed: bool) -> None:
    outcome = run(source, *options)
    assert bool(outcome.failed) is failed
    assert outcome.passed == 0


@pytest.mark.parametrize("status", [0, 1])
def test_a_linter_is_judged_by_its_exit_status(tmp_path: Path, status: int) -> None:
    check = Check("some", ("python", "-c", f"raise SystemExit({status})"), ("Makefile",))
    outcome = Runner(tmp_path, follow=False).check(check, fix=False)
    assert (outcome.passed, len(outcome.failed)) == (1 - status, status)


def test_nothing_of_ones_own_reaches_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = ("AWS_PROFILE", "OPENAI_API_KEY", "LITELLM_API_KEYS", "GITHUB_STEP_SUMMARY", "PYTHONSTARTUP")
    for name in (*private, "HTTPS_PROXY", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, "x")
    given = environ(tmp_path)
    assert not set(private) & given.keys()
    assert (given["HTTPS_PROXY"], given["AWS_CA_BUNDLE"]) == ("x", "x")


def test_an_unknown_part_is_refused_and_the_known_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-part"]) == 2
    said = capsys.readouterr().err
    assert "no-such-part" in said
    assert "unit" in said
    assert "ruff-check" in said


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_a_signal_ends_the_children(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "test_long.py").write_text(
        "import os, pathlib, time\n"
        f"def test_long():\n    pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "    time.sleep(120)\n"
    )
    script = (
        "import sys, tests.__main__ as command\n"
        "from pathlib import Path\n"
        "from pennyworth.host.processes import raise_on_signals\n"
        "raise_on_signals()\n"
        f"command.TESTS = Path({str(tmp_path.parent)!r})\n"
        f"command.parts = lambda: [{tmp_path.name!r}]\n"
        f"command.main([{tmp_path.name!r}])\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE) as command:
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert command.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        command.send_signal(number)
        assert b"KeyboardInterrupt" in command.communicate(timeout=30)[1]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
