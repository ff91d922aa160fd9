"""Keep folders between the runs of a rehearsed repository, below the folder that REHEARSAL_CACHE names.

A cache is a folder that is called by its key. As at GitHub none is ever changed, and of those whose keys begin alike
the newest is taken: https://docs.github.com/actions/reference/workflows-and-actions/dependency-caching
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
    """Put back what has the key, or the newest whose key begins with one of RESTORE_KEYS."""
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
    """Keep the folders under the key, where they are there and there is none of that key."""
    cache = PLACE / quote(KEY, "")
    missing = [path for path in PATHS if not Path(path).is_dir()]
    if cache.exists() or missing:
        print(f"::warning::The cache {KEY} is not saved: {', '.join(missing) or 'there is one of that key'}")
        return
    for number, path in enumerate(PATHS):
        shutil.copytree(path, cache / str(number))
    print(f"Cache saved with key: {KEY}")


def matching() -> Iterator[Path]:
    """The caches that fit, the best first."""
    caches = sorted(PLACE.glob("*"), key=lambda cache: cache.stat().st_mtime_ns, reverse=True)
    for begins in (KEY, *os.environ.get("RESTORE_KEYS", "").split()):
        yield from (cache for cache in caches if cache.name.startswith(quote(begins, "")))


{"restore": restore, "save": save}[sys.argv[1]]()
