"""What reads the project's own files: a table of checks, each a program over the files that it understands."""

from dataclasses import dataclass
from pathlib import Path

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT
from pennyworth.pipeline.selfref import tracked_files

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

    def command(self) -> list[str | Path] | None:
        """What to run, from the checkout's root; None: there is nothing to read."""
        files = [
            name
            for name in tracked_files(*self.files)
            if not self.containing or self.containing in (ROOT / name).read_text(errors="replace")
        ]
        if not files:
            return None
        program, *arguments = self.arguments
        command: list[str | Path] = [environment(self.environment) / program]
        for argument in arguments:
            command += files if argument == _FILES else [argument]
        return command


_PYTHON = ("*.py",)
_WORKFLOWS = (".github/workflows/*.yml",)
_ACTIONS = ("actions/*/action.yml",)
_TEMPLATES = ("template.yaml", "policies/*.yaml")
_ZIZMOR = ("--offline", "--persona", "pedantic", "--strict-collection", "--no-progress", "--quiet")

CHECKS = (
    Check("ruff check", ("ruff", "check", "--quiet", _FILES), _PYTHON),
    Check("ruff format", ("ruff", "format", "--diff", "--quiet", _FILES), _PYTHON),
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
