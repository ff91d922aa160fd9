"""Remove files that the function never uses. trim.toml lists them with reasons."""

import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pennyworth.pipeline.build.tools import BuildFailed

LIST = Path(__file__).with_name("trim.toml")


@dataclass(frozen=True, slots=True)
class Entry:
    """Files to remove."""

    reason: str
    paths: tuple[str, ...]
    """Glob patterns of files and folders, relative to the package's root."""
    keep: tuple[str, ...] = ()
    """Glob patterns of files to keep, although `paths` matches them."""


def read_entries(lock: str) -> list[Entry]:
    """Read the entries for a lock file (`gateway` or `litellm`)."""
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))["trim"]
    return [
        Entry(item["reason"], tuple(item["paths"]), tuple(item.get("keep", ())))
        for item in listed
        if lock in item["locks"]
    ]


def trim(root: Path, listed: Iterable[Entry]) -> None:
    """Remove the files that entries list.

    Args:
        root: the package's root.
        listed: the entries.
    Raises:
        BuildFailed: a pattern matches nothing, because the packages have changed.
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
            f"{LIST.name}: nothing matches {pattern!r}. The locked packages have changed: find the new path, and"
            " fix or remove the entry."
        )
    return found
