"""The project as a folder that is laid out like the checkout, for programs that need its sources as files."""

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from pennyworth.host.places import CARRIED, PACKAGE, ROOT, made

_KEPT_SECONDS = 7 * 24 * 3600.0
_BYTECODE = "__pycache__"


@cache
def source_tree() -> Path:
    """Return the checkout or, for an installed package, a copy like it in work_dir(), with all files and src/.

    An installed package is no use as it is: other packages lie beside it, which must not reach the project's own
    environments, and its folder may be read-only, or be deleted while a command runs.

    Raises:
        FolderUnavailable: the copy can't be created.
    """
    if ROOT != CARRIED:
        return ROOT
    copy = made("source") / _hash_package()
    if not copy.is_dir():
        with tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
            new = Path(scratch, "source")
            shutil.copytree(CARRIED, new)
            shutil.copytree(
                PACKAGE,
                new / "src" / PACKAGE.name,
                ignore=shutil.ignore_patterns(_BYTECODE, CARRIED.name),
            )
            with suppress(OSError):  # another command was faster
                new.rename(copy)
    os.utime(copy)
    for old in copy.parent.iterdir():
        with suppress(OSError):  # another command removes it, too
            if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(old)
    return copy


def _hash_package() -> str:
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and _BYTECODE not in path.parts:
            digest.update(f"{path.relative_to(PACKAGE)}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
