"""Keeps the wheels of locks in a folder, so that a later run elsewhere need not ask a package index.

    python3 -m pennyworth.host.wheels describe NAME...   # the folder, its key for a cache, whether it is needed
    python3 -m pennyworth.host.wheels download NAME...

Every installation compares each wheel with the lock's hashes. So whoever can write to the folder, such as a cache that
several runs share, can make an installation ask the index again, and nothing worse.
"""

import hashlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pennyworth.host.environments import LOCKS, call, environment, exists, find_kept_wheels, name_kept_wheels
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made, work_dir
from pennyworth.host.progress import step


def describe(names: Sequence[str]) -> dict[str, str]:
    """Describe the wheels of some locks, as outputs of a workflow's step.

    Returns:
        `path`, the folder; `key`, for a cache; `wanted`, whether an environment of these locks is still to be made.
    """
    digest = hashlib.sha256(b"".join((LOCKS / f"{name}.txt").read_bytes() for name in names)).hexdigest()[:16]
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    system = f"{platform.system()}-{platform.machine()}".lower()
    return {
        "path": str(work_dir().resolve() / name_kept_wheels("")),
        "key": f"pennyworth-{'-'.join(names)}-{system}-{python}-{digest}",
        "wanted": "" if all(exists(name) for name in names) else "true",
    }


def download(name: str) -> None:
    """Download the wheels of a lock, unless they are there.

    Raises:
        EnvironmentUnavailable: the package index does not give them.
    """
    if find_kept_wheels(name):
        return
    folder = work_dir() / name_kept_wheels(name)
    made(*folder.relative_to(work_dir()).parent.parts)
    command: list[str | Path] = [
        environment("uv") / "python",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
    ]
    with (
        step(f"downloading the packages of requirements/{name}.txt"),
        tempfile.TemporaryDirectory(dir=folder.parent) as scratch,
    ):
        command += ["--require-hashes", "--only-binary", ":all:", "--no-cache-dir", "--dest", scratch]
        call(
            [*command, "-r", LOCKS / f"{name}.txt"],
            f"the packages of requirements/{name}.txt can't be downloaded.",
        )
        shutil.copytree(scratch, folder)


def main(words: Sequence[str]) -> int:
    """Run a command. Returns the exit status."""
    action, *names = words
    try:
        if action == "describe":
            print("\n".join(f"{name}={value}" for name, value in describe(names).items()))
        else:
            for name in names:
                download(name)
    except OperationFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
