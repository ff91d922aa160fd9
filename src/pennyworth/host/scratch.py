"""Folders for one run of a command, removed at its end: where it was killed, by the next one."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pennyworth.host.places import made


@contextmanager
def scratch(kind: str) -> Iterator[Path]:
    """A folder of one's own below work_dir(), from `with` to the end of its block.

    Args:
        kind: what it is for, the first part of its name. Folders of that kind which killed commands left behind are
            removed.
    """
    _remove_abandoned(kind)
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=made("tmp")))
    try:
        with (folder / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(kind: str) -> None:
    """Remove what a killed command could not: its lock has gone with it."""
    for folder in made("tmp").glob(f"{kind}-*"):
        try:
            with (folder / "lock").open() as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held, or not yet made
            continue
        shutil.rmtree(folder, ignore_errors=True)
