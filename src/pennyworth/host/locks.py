"""Update the locks in requirements/ from their .in files.

    make lock
    make lock ARGS="tools --upgrade"

A lock lists every package with its version and hashes, for all systems and for Python 3.11 and newer. It names
no package index: pip and uv use the one that your machine is set to. Runs `python -m pennyworth.host.locks`.
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
from pennyworth.host.progress import say, show_anything, step

_COMPILE = (
    "pip",
    "compile",
    "--quiet",
    "--no-config",
    "--no-header",
    "--no-annotate",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments, without the program's name. Default: those of this process.
    Returns:
        the exit status: 1 if a lock could not be created or, with --check, is out of date; else 0.
    """
    show_anything()
    parser = argparse.ArgumentParser(
        prog="make lock", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="update only these locks, such as `tools` (default: all)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="change nothing; fail if a lock is out of date")
    what.add_argument(
        "--upgrade", action="store_true", help="use the newest versions that the .in files allow"
    )
    options = parser.parse_args(argv)
    known = sorted(path.stem for path in LOCKS.glob("*.in"))
    if unknown := set(options.names) - set(known):
        parser.error(
            f"there is no lock named {', '.join(sorted(unknown))}. The locks are: {', '.join(known)}"
        )
    try:
        stale = [name for name in options.names or known if _lock(name, options.upgrade, options.check)]
    except EnvironmentUnavailable as error:
        say(str(error))
        return 1
    if options.check and stale:
        say(f"these locks are out of date: {', '.join(stale)}. Run `make lock`.")
        return 1
    return 0


def _lock(name: str, upgrade: bool, check: bool) -> bool:
    """Resolve one .in file. Returns whether its lock differs."""
    lock = LOCKS / f"{name}.txt"
    with step(f"requirements/{name}.in") as detail, tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        resolved = Path(scratch, lock.name)
        if lock.exists():
            shutil.copy(lock, resolved)  # keep its versions where they still fit
        command: list[str | Path] = [uv(), *_COMPILE, "--output-file", resolved]
        if upgrade:
            command.append("--upgrade")
        if name in WITHOUT_DEPENDENCIES:
            command.append("--no-deps")
        command.append(LOCKS / f"{name}.in")
        call(
            command,
            f"requirements/{name}.in can't be resolved.",
        )
        changed = not lock.exists() or resolved.read_bytes() != lock.read_bytes()
        if changed and not check:
            resolved.replace(lock)
        if changed:
            detail("out of date" if check else "updated")
    return changed


if __name__ == "__main__":
    sys.exit(main())
