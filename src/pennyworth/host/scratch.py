"""Temporary folders for one run of a command. If it is killed, the next run removes them."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pennyworth.host.places import made


@contextmanager
def scratch(kind: str) -> Iterator[Path]:
    """Create a folder in work_dir() for the block, and remove it afterwards.

    Args:
        kind: the purpose, and the first part of the folder's name. Also removes folders of this kind that
            killed commands left behind.
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
    """Remove the folders of killed commands, which no longer hold their locks."""
    for folder in made("tmp").glob(f"{kind}-*"):
        try:
            with (folder / "lock").open() as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # locked, or not created yet
            continue
        shutil.rmtree(folder, ignore_errors=True)
