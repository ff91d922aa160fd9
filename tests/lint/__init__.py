"""What reads the project's own files: a table of checks, each a program over the files that it understands."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT

_FILES = "{files}"


@dataclass(frozen=True, slots=True)
class Check:
    """A linter and what it reads."""

    name: str
    arguments: tuple[str, ...]
    """The program and its arguments; `{files}` stands for the files."""
    files: tuple[str, ...]
    """git pathspecs. A check whose files are absent has nothing to say and passes."""
    containing: str = ""
    """Only files that hold this text."""
    environment: str = "lint"
    """Which of the project's environments holds the program."""
    fix: tuple[str, ...] = ()
    """The same as `arguments`, to fix what is found; empty: it fixes nothing."""

    def command(self, *, fix: bool = False) -> list[str | Path] | None:
        """What to run, from the checkout's root; None: there is nothing to read.

        Args:
            fix: put right what is found, where the linter can.
        """
        files = [
            name
            for name in _tracked(*self.files)
            if not self.containing or self.containing in (ROOT / name).read_text(errors="replace")
        ]
        if not files:
            return None
        program, *arguments = (fix and self.fix) or self.arguments
        command: list[str | Path] = [environment(self.environment) / program]
        for argument in arguments:
            command += files if argument == _FILES else [argument]
        return command


def _tracked(*pathspecs: str) -> list[Path]:
    """What git tracks or would track, relative to the checkout's root.

    Args:
        pathspecs: https://git-scm.com/docs/gitglossary#def_pathspec
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *pathspecs],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    names = {Path(name) for name in listed.split("\0") if name}
    return sorted(name for name in names if (ROOT / name).is_file())


_PYTHON = ("*.py",)
_WORKFLOWS = (".github/workflows/*.yml",)
_ACTIONS = ("actions/*/action.yml",)
_TEMPLATES = ("template.yaml", "policies/*.yaml")
_ZIZMOR = ("--offline", "--persona", "pedantic", "--strict-collection", "--no-progress", "--quiet")

CHECKS = (
    Check(
        "ruff check",
        ("ruff", "check", "--quiet", _FILES),
        _PYTHON,
        fix=("ruff", "check", "--quiet", "--fix", _FILES),
    ),
    Check("ruff format", ("ruff", "format", "--check", _FILES), _PYTHON, fix=("ruff", "format", _FILES)),
    Check("mypy", ("mypy", "-p", "pennyworth", "-p", "tests.lint", "-m", "tests.__main__"), _PYTHON),
    Check("actionlint", ("python", "-m", "tests.lint.actionlint"), _WORKFLOWS),
    Check("zizmor", ("zizmor", *_ZIZMOR, _FILES), (*_WORKFLOWS, *_ACTIONS, ".github/dependabot.yml")),
    Check("run scripts", ("python", "-m", "tests.lint.scripts", _FILES), (*_WORKFLOWS, *_ACTIONS)),
    Check("shellcheck", ("shellcheck", _FILES), ("*.sh", ".ci/run")),
    Check("cfn-lint", ("cfn-lint", "--", _FILES), _TEMPLATES, "AWSTemplateFormatVersion", "tools"),
    Check(
        "sam validate",
        ("sam", "validate", "--lint", "--template-file", _FILES),
        ("template.yaml",),
        environment="tools",
    ),
    Check("house rules", ("python", "-m", "tests.lint.house", _FILES), (".",)),
)
