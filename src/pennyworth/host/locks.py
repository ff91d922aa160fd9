"""Resolve requirements/*.in into their locks: `make lock`, run as `python -m pennyworth.host.locks`.

A lock names every package with its version and hashes, for every system and Python from 3.11 on, and no index's
address: whoever installs from it takes the index that their machine is set to.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pennyworth.host.environments import (
    LOCKS,
    WITHOUT_DEPENDENCIES,
    EnvironmentUnavailable,
    call,
    uv,
)
from pennyworth.host.places import made
from pennyworth.host.progress import say, step

_COMPILE = (
    *("pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate"),
    *("--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Lock what is asked for.

    Args:
        argv: the command line's words; the process's own by default.
    Returns:
        the exit status: 1 where a lock could not be made or, with --check, is not what its .in asks for.
    """
    parser = argparse.ArgumentParser(prog="make lock", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="only these, such as `tools`; all by default"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="change nothing; fail where a lock does not match")
    what.add_argument(
        "--upgrade", action="store_true", help="take the newest versions that the .in files allow"
    )
    options = parser.parse_args(argv)
    known = sorted(path.stem for path in LOCKS.glob("*.in"))
    if unknown := set(options.names) - set(known):
        parser.error(f"no such requirements: {', '.join(sorted(unknown))}. There are: {', '.join(known)}")
    try:
        stale = [name for name in options.names or known if _lock(name, options.upgrade, options.check)]
    except EnvironmentUnavailable as error:
        say(str(error))
        return 1
    if options.check and stale:
        say(f"these locks are not what their .in files ask for: {', '.join(stale)}. Run `make lock`.")
        return 1
    return 0


def _lock(name: str, upgrade: bool, check: bool) -> bool:
    """Resolve one; whether its lock is another one than before."""
    lock = LOCKS / f"{name}.txt"
    with step(f"requirements/{name}.in") as detail, tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        resolved = Path(scratch, lock.name)
        if lock.exists():
            shutil.copy(lock, resolved)  # versions in it are kept where they still fit
        wanted = [
            *(["--upgrade"] if upgrade else []),
            *(["--no-deps"] if name in WITHOUT_DEPENDENCIES else []),
            str(LOCKS / f"{name}.in"),
        ]
        call(
            [uv(), *_COMPILE, "--output-file", resolved, *wanted],
            f"requirements/{name}.in can't be resolved.",
        )
        changed = not lock.exists() or resolved.read_bytes() != lock.read_bytes()
        if changed and not check:
            resolved.replace(lock)
        if changed:
            detail("differs" if check else "changed")
    return changed


if __name__ == "__main__":
    sys.exit(main())
