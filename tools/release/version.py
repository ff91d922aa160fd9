"""Versions, and every place in the checkout that states the project's.

A page that shows how to use an action or a workflow of this repository names the release that it was written for:
`uses: OWNER/REPOSITORY/actions/build@v` and its number. Those pins, and the package's version, always agree.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Not .github/workflows/*.md: GitHub lets no job change a file in that folder. Those pages say COMMIT.
_PAGES = ("README.md", "docs/**/*.md", "actions/*/README.md")

_NUMBER = r"\d+\.\d+\.\d+"
_PIN = re.compile(rf"(?P<before>OWNER/REPOSITORY/[\w./-]+@v)(?P<version>{_NUMBER})")
_STATEMENTS = {
    "pyproject.toml": re.compile(rf'(?P<before>^version = ")(?P<version>{_NUMBER})', re.MULTILINE),
    "src/pennyworth/__init__.py": re.compile(
        rf'(?P<before>^__version__ = ")(?P<version>{_NUMBER})', re.MULTILINE
    ),
}


class WrongVersion(ValueError):
    """A version that can't be released; the message says why."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Three numbers: https://semver.org. No pre-releases: whoever wants to try main pins a commit."""

    major: int
    minor: int
    patch: int

    @classmethod
    def of(cls, text: str) -> "Version":
        """A version as people write it, such as 0.2.0.

        Raises:
            WrongVersion: it is none.
        """
        if not re.fullmatch(r"(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){2}", text):
            raise WrongVersion(
                f"{text!r} is no version. Name three numbers, such as 0.2.0, without a v before them."
            )
        return cls(*map(int, text.split(".")))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def tag(self) -> str:
        """The release's tag."""
        return f"v{self}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A place that states the project's version."""

    file: str
    line: int
    version: str


def latest(tags: Iterable[str]) -> Version | None:
    """The newest version that there is a tag for; None where there is none yet."""
    versions = []
    for tag in tags:
        try:
            versions.append(Version.of(tag.removeprefix("v")))
        except WrongVersion:  # somebody's own tag
            continue
    return max(versions, default=None)


def statements(root: Path) -> Iterator[Statement]:
    """Every place in a checkout that states the project's version."""
    for name, text, pattern in _places(root):
        for found in pattern.finditer(text):
            yield Statement(name, text.count("\n", 0, found.start()) + 1, found["version"])


def restated(root: Path, version: Version) -> dict[str, str]:
    """The files that a version changes, by path, each with its new text.

    Args:
        root: the checkout.
        version: what they are to state.
    """
    changed = {}
    for name, text, pattern in _places(root):
        new = pattern.sub(rf"\g<before>{version}", text)
        if new != text:
            changed[name] = new
    return changed


def _places(root: Path) -> Iterator[tuple[str, str, re.Pattern[str]]]:
    for name, pattern in _STATEMENTS.items():
        yield name, (root / name).read_text(encoding="utf-8"), pattern
    for page in sorted(path for place in _PAGES for path in root.glob(place)):
        yield page.relative_to(root).as_posix(), page.read_text(encoding="utf-8"), _PIN
