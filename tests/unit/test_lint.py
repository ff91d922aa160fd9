"""The project's own checks find what they are there for."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.lint import CHECKS, house, scripts
from tests.npm import without_addresses

from pennyworth.host.places import ROOT

WORKFLOW = """
name: some
on: push
permissions: {{}}
jobs:
  some:
    runs-on: ubuntu-latest
    steps:
      - run: {script}
"""

ACTION = """
name: some
description: some
runs:
  using: composite
  steps:
    - name: Greet
      shell: {interpreter}
      run: {script}
"""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("--index-url ~packages.example/simple", True),
        ("--extra-index-url=~packages.example/simple", True),
        ("url = '~pypi.org/simple'", True),
        ("waitress @ ~files.pythonhosted.org/packages/x.whl", True),
        ("~name:secret@packages.example/pypi/simple", True),
        ("uv pip compile --no-emit-index-url", False),
        ("set PIP_INDEX_URL", False),
        ("~pypi.org/project/pennyworth/", False),
    ],
)
def test_package_indexes_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, found: bool
) -> None:
    monkeypatch.setattr(house, "ROOT", tmp_path)
    (tmp_path / "file").write_text("first\n" + line.replace("~", "https://") + "\n")
    problems = list(house.index_addresses([Path("file")]))
    assert [problem.startswith("file:2: ") for problem in problems] == ([True] if found else [])


@pytest.mark.parametrize(
    ("name", "line", "found"),
    [
        ("some/package-lock.json", '"url": "https://example.com/donate"', True),
        ("requirements/some.txt", "some @ https://example.com/some.whl", True),
        ("requirements/some.txt", "some==1.0", False),
        ("requirements/some.in", "# see https://example.com", False),
    ],
)
def test_addresses_in_locks_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: str, found: bool
) -> None:
    monkeypatch.setattr(house, "ROOT", tmp_path)
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(f"first\n{line}\n")
    problems = list(house.lock_addresses([Path(name)]))
    assert [problem.startswith(f"{name}:2: ") for problem in problems] == ([True] if found else [])


def test_what_npm_writes_is_stripped_of_addresses() -> None:
    package = {"version": "1.0.0", "resolved": "https://x.example/a.tgz", "integrity": "sha512-x"}
    package["funding"] = {"url": "https://x.example"}
    lock = {"lockfileVersion": 3, "packages": {"": {"name": "a"}, "node_modules/b": package}}
    kept = {"": {"name": "a"}, "node_modules/b": {"version": "1.0.0", "integrity": "sha512-x"}}
    assert without_addresses(lock) == {"lockfileVersion": 3, "packages": kept}


def test_half_an_action_is_found() -> None:
    names = [
        "actions/whole/action.yml",
        "actions/whole/README.md",
        "actions/bare/action.yml",
        "actions/README.md",
    ]
    problems = list(house.incomplete_actions([Path(name) for name in names]))
    assert problems == ["actions/bare: has no README.md"]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (WORKFLOW.format(script="echo ${{ github.actor }}"), "pass it through env:"),
        (WORKFLOW.format(script="echo hello"), ""),
        (ACTION.format(interpreter="bash", script="echo ${{ inputs.name }}"), "Greet: pastes"),
        (ACTION.format(interpreter="bash", script="echo $NAME"), "SC2086"),
        (ACTION.format(interpreter="pwsh", script="echo hello"), "its shell must be one of bash, sh"),
        (ACTION.format(interpreter="bash", script='echo "$NAME"'), ""),
    ],
    ids=["pasted", "workflow", "pasted in action", "unquoted", "shell", "action"],
)
def test_scripts_inside_yaml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], document: str, problem: str
) -> None:
    (tmp_path / "some.yml").write_text(document)
    assert scripts.main([str(tmp_path / "some.yml")]) == bool(problem)
    assert problem in capsys.readouterr().out


def test_actionlint_knows_the_projects_own_actions(tmp_path: Path) -> None:
    """An input that an action does not have is found, although it is used by `$/`."""
    workflow = ROOT / ".github" / "workflows" / "ci.yml"
    checkout = tmp_path / "checkout"
    for name, text in {
        ".github/workflows/some.yml": workflow.read_text().replace(
            "      - run: make lint", "      - uses: $/actions/some\n        with:\n          nothing: x"
        ),
        "actions/some/action.yml": ACTION.format(interpreter="bash", script="echo hello"),
    }.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", checkout], check=True)
    script = (
        "import sys; from pathlib import Path; from tests.lint import actionlint;"
        "copy = actionlint.rewritten_tree;"
        f"actionlint.rewritten_tree = lambda dest: copy(dest, Path({str(checkout)!r}));"
        "sys.exit(actionlint.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT, timeout=240
    )
    assert done.returncode == 1
    assert 'input "nothing" is not defined in action "some"' in done.stdout


def test_every_check_names_files_that_git_would_track() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert [check.name for check in CHECKS if not check.command()] == []
