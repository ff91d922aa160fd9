"""Show what an update of the locks newly brings: native files, programs and plugins, hosts, dependencies.

    python3 -m tools.lock_changes
    python3 -m tools.lock_changes --base v1.2.0 litellm tools

Compares requirements/*.txt with those of another commit, by default this one's. It unpacks the wheels of both that
changed and runs nothing of them. In a workflow, the result is in the job's summary. Fails if a package brings something
that Python runs by itself at every start.
"""

import argparse
import email
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path

from pennyworth.github import actions
from pennyworth.host.environments import LOCKS, clean_environ, uv
from pennyworth.host.git import ask_git
from pennyworth.host.places import ROOT, made
from pennyworth.host.processes import Child
from pennyworth.host.progress import say, show_anything, step
from pennyworth.host.startup_files import find_unexpected

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+).*(?:\n[ \t]+--hash.*)*", re.MULTILINE)
_HOST = re.compile(rb"https?://((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,})(?![\w.-]*%)", re.IGNORECASE)
_NATIVE = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"!<arch>")
"""The first bytes of programs and libraries: Linux, Windows, macOS, and archives of object files."""
_WHEELS = ("--python-platform", "x86_64-manylinux_2_28", "--python-version", "3.13", "--only-binary", ":all:")
_SHOWN = 25


@dataclass(frozen=True, slots=True)
class Release:
    """A package in a lock."""

    name: str
    version: str
    lines: str
    """What the lock says of it, with its hashes."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a wheel brings that is worth a look."""

    startup: frozenset[str] = frozenset()
    native: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    dependencies: frozenset[str] = frozenset()

    def news(self, before: "Contents") -> dict[str, list[str]]:
        """List what these contents have and others do not, by a heading."""
        found = {
            "runs at every start of Python": self.startup - before.startup,
            "native files": self.native - before.native,
            "programs and plugins": self.entries - before.entries,
            "hosts": self.hosts - before.hosts,
            "dependencies": self.dependencies - before.dependencies,
        }
        return {heading: sorted(news) for heading, news in found.items() if news}


@dataclass(frozen=True, slots=True)
class Change:
    """A package that a lock has newly, or in another version."""

    lock: str
    name: str
    before: str
    """The version; empty if the package is new."""
    after: str
    news: Mapping[str, list[str]] = field(default_factory=dict)
    trouble: str = ""
    """Why the wheels can't be compared."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the locks. Returns the exit status."""
    show_anything()
    parser = argparse.ArgumentParser(
        prog="python3 -m tools.lock_changes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these locks (default: all)")
    parser.add_argument(
        "--base", default="HEAD", metavar="COMMIT", help="what to compare with (default: HEAD)"
    )
    options = parser.parse_args(argv)
    if not ask_git(ROOT, "rev-parse", "--verify", f"{options.base}^{{commit}}"):
        parser.error(f"there is no commit {options.base}. In a shallow clone, fetch more of the history")
    changes = [*_compare(options.names or sorted(lock.stem for lock in LOCKS.glob("*.txt")), options.base)]
    report = as_markdown(changes)
    print(report)
    actions.summary(f"### Locks\n\n{report}")
    return 1 if any("runs at every start of Python" in change.news for change in changes) else 0


def parse_lock(text: str) -> dict[str, Release]:
    """Parse a lock into its releases by name."""
    return {found[1]: Release(found[1], found[2], found[0]) for found in _REQUIREMENT.finditer(text)}


def read_contents(folder: Path) -> Contents:
    """Read what a wheel brings, from the folder that it was unpacked into."""
    native, hosts = set(), set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.parent.name.endswith(".dist-info"):
            continue  # its own homepage and the like
        data = path.read_bytes()
        if data.startswith(_NATIVE):
            native.add(path.relative_to(folder).as_posix())
        hosts |= {host.decode().lower() for host in _HOST.findall(data)}
    return Contents(
        frozenset(one.path for one in find_unexpected(folder)),
        frozenset(map(_forget_platform, native)),
        frozenset(_list_entries(folder)),
        frozenset(hosts),
        frozenset(_list_dependencies(folder)),
    )


def as_markdown(changes: Sequence[Change]) -> str:
    """Render the changes."""
    if not changes:
        return "No lock has another package, or another version of one."
    rows = [
        (change.lock, f"`{change.name}`", f"{change.before or 'new'} → {change.after}", _render(change))
        for change in changes
    ]
    return actions.table(("lock", "package", "version", "newly brings"), rows)


def _render(change: Change) -> str:
    if change.trouble:
        return change.trouble
    parts = []
    for heading, news in change.news.items():
        more = f" and {len(news) - _SHOWN} more" if len(news) > _SHOWN else ""
        parts.append(f"**{heading}**: {', '.join(f'`{one}`' for one in news[:_SHOWN])}{more}")
    return "<br>".join(parts) or "nothing"


def _compare(names: Sequence[str], base: str) -> Iterator[Change]:
    for name in names:
        lock = LOCKS / f"{name}.txt"
        after = parse_lock(lock.read_text(encoding="utf-8"))
        before = parse_lock(ask_git(ROOT, "show", f"{base}:./requirements/{lock.name}"))
        for package, release in after.items():
            old = before.get(package)
            if old and old.version == release.version:
                continue
            with step(f"{name}: {package} {old.version if old else 'new'} → {release.version}"):
                yield _compare_release(name, old, release)


def _compare_release(lock: str, old: Release | None, new: Release) -> Change:
    change = Change(lock, new.name, old.version if old else "", new.version)
    contents = []
    for release in (old, new):
        if release is None:
            contents.append(Contents())
            continue
        with tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
            trouble = _unpack(release, Path(scratch))
            if trouble:
                return Change(lock, change.name, change.before, change.after, trouble=trouble)
            contents.append(read_contents(Path(scratch, "wheel")))
    return Change(lock, change.name, change.before, change.after, contents[1].news(contents[0]))


def _unpack(release: Release, scratch: Path) -> str:
    """Unpack a release's wheel for Linux. Returns why that is not possible, or an empty string."""
    requirement, target = scratch / "requirement.txt", scratch / "wheel"
    target.mkdir()
    requirement.write_text(release.lines + "\n", encoding="utf-8")
    command: list[str | Path] = [uv(), "pip", "install", "--quiet", "--no-config", "--no-deps", *_WHEELS]
    command += ["--require-hashes", "--link-mode", "copy", "--target", target, "-r", requirement]
    with Child(command, log=scratch / "log", env=clean_environ()) as child:
        failed = child.wait()
    if failed:
        say((scratch / "log").read_text(errors="replace"))
        return f"{release.version} has no wheel for Linux that can be compared"
    return "" if any(target.iterdir()) else f"{release.version} is not for Linux"


def _forget_platform(path: str) -> str:
    """Drop what a new version changes in a native file's name anyway: hashes that auditwheel adds."""
    return re.sub(r"-[0-9a-f]{8}(?=\.so|\.dylib|\.)", "", path)


def _list_entries(folder: Path) -> Iterator[str]:
    for file in folder.glob("*.dist-info/entry_points.txt"):
        parser = ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # names differ in case
        parser.read_string(file.read_text(encoding="utf-8"))
        for group in parser.sections():
            yield from (f"{group}: {name}" for name in parser[group])


def _list_dependencies(folder: Path) -> Iterator[str]:
    for file in folder.glob("*.dist-info/METADATA"):
        headers = email.message_from_string(file.read_text(encoding="utf-8", errors="replace"))
        for wanted in headers.get_all("Requires-Dist") or ():
            name = re.match(r"[\w.-]+", wanted)
            if name and "extra ==" not in wanted:
                yield name[0].lower()


if __name__ == "__main__":
    sys.exit(main())
