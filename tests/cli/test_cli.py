"""The command line: what it says of itself, and that it loads only what is asked for."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from pennyworth import __version__, cli
from pennyworth.cli import COMMANDS
from pennyworth.host.environments import EnvironmentUnavailable
from pennyworth.host.places import ROOT


def pennyworth(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pennyworth.cli", *words],
        env={"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_lists_every_command_with_what_it_is_for() -> None:
    done = pennyworth("--help")
    assert done.returncode == 0
    for name, summary in COMMANDS.items():
        assert f"    {name}" in done.stdout.splitlines() or f"    {name} " in done.stdout
        assert summary in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    done = pennyworth(command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: pennyworth {command}" in done.stdout


@pytest.mark.parametrize("words", [(), ("no-such-command",)], ids=["none", "unknown"])
def test_a_wrong_call_says_what_there_is(words: tuple[str, ...]) -> None:
    done = pennyworth(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "usage: pennyworth" in done.stderr
    if words:
        assert "demo" in done.stderr


@pytest.mark.parametrize("verb", ["list", "create-key"])
def test_without_a_stack_the_variables_that_name_it_are_told(verb: str) -> None:
    done = pennyworth("credentials", verb)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "pennyworth credentials: --stack-name is missing: give it, or set STACK_NAME",
        "pennyworth credentials: --region is missing: give it, or set AWS_REGION",
    ]


def test_a_value_on_the_command_line_is_refused_without_showing_it() -> None:
    done = pennyworth(
        "credentials", "--stack-name", "a", "--region", "b", "set", "OPENAI_API_KEY", "sk-canary"
    )
    assert done.returncode == 2
    assert "command line" in done.stderr and "sk-canary" not in done.stdout + done.stderr
    assert "rest" not in pennyworth("credentials", "set", "--help").stdout


def test_version() -> None:
    assert pennyworth("--version").stdout == f"pennyworth {__version__}\n"


def test_only_the_command_asked_for_is_loaded() -> None:
    script = (
        "import sys\n"
        "from pennyworth.cli import COMMANDS, main\n"
        "try:\n"
        "    main(['smoke', '--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('LOADED', *(name for name in COMMANDS if f'pennyworth.cli.{name}' in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "LOADED smoke"


def test_an_environment_that_cannot_be_had_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_options: object) -> int:
        raise EnvironmentUnavailable("do this next")

    command = ModuleType("pennyworth.cli.demo")
    vars(command).update(arguments=lambda _parser: None, run=run)
    monkeypatch.setitem(sys.modules, command.__name__, command)
    assert cli.main(["demo"]) == 1
    assert capsys.readouterr().err == "pennyworth demo: do this next\n"


def list_commands(parser: argparse.ArgumentParser, before: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each command that does something, with its options."""
    verbs = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in verbs:
        for name, subparser in action.choices.items():
            yield from list_commands(subparser, f"{before} {name}".strip())
    if not verbs:
        yield before, set(parser._option_string_actions)


def test_every_command_s_json_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    documented = re.findall(r"^\| `([a-z -]+)` \|", page.partition("## JSON")[2], re.MULTILINE)
    assert sorted(documented) == sorted(
        name for name, options in list_commands(cli.build_parser()) if "--json" in options
    )


def test_every_command_about_a_stack_takes_a_profile_and_a_region() -> None:
    for name, options in list_commands(cli.build_parser()):
        if "--stack-name" in options and name != "init":
            assert {"--profile", "--region"} <= options, name


@pytest.mark.parametrize(
    "words",
    [("pennyworth.cli", "completion", "fish"), ("bench", "--help")],
    ids=" ".join,
)
def test_a_reader_that_has_enough_ends_it_quietly(words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 1
    assert not done.stderr
