"""Caches folders between the runs of a rehearsed repository, in the folder REHEARSAL_CACHE.

A cache is a folder with the key as its name. As on GitHub, caches never change, and restore keys match the
newest cache with that prefix:
https://docs.github.com/actions/reference/workflows-and-actions/dependency-caching
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

PLACE = Path(os.environ["REHEARSAL_CACHE"])
PATHS = os.environ["CACHED"].split()
KEY = os.environ["KEY"]


def restore() -> None:
    """Restore the cache with the key, or the newest one with a prefix in RESTORE_KEYS."""
    found = next(matching(), None)
    said = {"cache-primary-key": KEY, "cache-matched-key": "", "cache-hit": ""}
    if found:
        said |= {"cache-matched-key": found.name, "cache-hit": str(found.name == quote(KEY, "")).lower()}
        for number, path in enumerate(PATHS):
            shutil.copytree(found / str(number), path, dirs_exist_ok=True)
    print(f"Cache restored from key: {found.name}" if found else f"Cache not found for key: {KEY}")
    with Path(os.environ["GITHUB_OUTPUT"]).open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in said.items())


def save() -> None:
    """Save the folders under the key, if they exist and the key does not."""
    cache = PLACE / quote(KEY, "")
    missing = [path for path in PATHS if not Path(path).is_dir()]
    if cache.exists() or missing:
        print(f"::warning::The cache {KEY} is not saved: {', '.join(missing) or 'there is one of that key'}")
        return
    for number, path in enumerate(PATHS):
        shutil.copytree(path, cache / str(number))
    print(f"Cache saved with key: {KEY}")


def matching() -> Iterator[Path]:
    """Return the matching caches, the best one first."""
    caches = sorted(PLACE.glob("*"), key=lambda cache: cache.stat().st_mtime_ns, reverse=True)
    for begins in (KEY, *os.environ.get("RESTORE_KEYS", "").split()):
        yield from (cache for cache in caches if cache.name.startswith(quote(begins, "")))


{"restore": restore, "save": save}[sys.argv[1]]()
