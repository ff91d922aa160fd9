"""Leaves out what the function never uses. What that is, and why, stands in trim.toml."""

import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pennyworth.pipeline.build.tools import BuildFailed

LIST = Path(__file__).with_name("trim.toml")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a package does without."""

    reason: str
    paths: tuple[str, ...]
    """Glob patterns below the package's root, of files or folders."""
    keep: tuple[str, ...] = ()
    """Patterns of what stays though a pattern in `paths` holds it."""


def read_entries(lock: str) -> list[Entry]:
    """The entries for the packages of a lock (`gateway` or `litellm`)."""
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))["trim"]
    return [
        Entry(item["reason"], tuple(item["paths"]), tuple(item.get("keep", ())))
        for item in listed
        if lock in item["locks"]
    ]


def trim(root: Path, listed: Iterable[Entry]) -> None:
    """Remove what the entries name.

    Raises:
        BuildFailed: a pattern matches nothing: the packages have changed, and the list must follow.
    """
    for entry in listed:
        keep = {path for pattern in entry.keep for path in _find_matches(root, pattern)}
        holding = {folder for path in keep for folder in path.parents}
        for pattern in entry.paths:
            for path in _find_matches(root, pattern):
                if path in keep or path in holding or not keep.isdisjoint(path.parents):
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)


def _find_matches(root: Path, pattern: str) -> list[Path]:
    found = sorted(root.glob(pattern))
    if not found:
        raise BuildFailed(
            f"{LIST.name}: nothing matches {pattern!r}. The locked packages have changed: see where it went, and"
            " fix or remove the entry."
        )
    return found
