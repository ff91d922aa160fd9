"""Install the third-party packages for a target, trim and compile them, and cache the result.

The cache key is a hash of all inputs, so a build after a change of the gateway alone is fast.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from pennyworth.host.environments import LOCKS, clean_environ, locked, uv
from pennyworth.host.interpreters import Interpreter
from pennyworth.host.progress import step
from pennyworth.host.startup_files import explain, find_startup_files
from pennyworth.pipeline.build.bytecode import compile_all
from pennyworth.pipeline.build.target import Target
from pennyworth.pipeline.build.tools import BuildFailed, run
from pennyworth.pipeline.build.trim import read_entries, trim

_SOURCES = ("bytecode.py", "dependencies.py", "target.py", "trim.py", "trim.toml")


def install_dependencies(target: Target, lock: str, compiler: Interpreter | None, kept: Path) -> Path:
    """Install the packages of a lock file, or reuse a cached installation.

    Args:
        target: the target.
        lock: `gateway` or `litellm`.
        compiler: the interpreter that compiles bytecode; None for no bytecode.
        kept: the cache folder.
    Returns:
        the folder in the cache. Copy it; do not change it.
    Raises:
        BuildFailed: a package can't be installed, or runs code of its own whenever Python starts, or trim.toml does not
            match the packages.
    """
    tree = (
        kept / f"{lock}-{target.python}-{target.architecture}-{target.system}-{_compute_key(lock, compiler)}"
    )
    if tree.exists():
        return tree
    with locked(kept / f"{lock} packages.lock"):
        if not tree.exists():
            with tempfile.TemporaryDirectory(dir=kept) as scratch:
                root = Path(scratch, "root")
                _install(root, target, lock, compiler)
                root.rename(tree)
            for old in kept.glob(f"{tree.name.rpartition('-')[0]}-*"):
                if old != tree:
                    shutil.rmtree(old, ignore_errors=True)
    return tree


def measure_size(root: Path) -> str:
    """Measure the size of a folder's files, as Lambda counts it, and return it as text."""
    return f"{sum(path.stat().st_size for path in root.rglob('*') if path.is_file()) / 2**20:.1f} MiB"


def _install(root: Path, target: Target, lock: str, compiler: Interpreter | None) -> None:
    requirements = LOCKS / f"{lock}.txt"
    with step(f"installing requirements/{lock}.txt for {target}") as detail:
        wheels = [
            "--only-binary",
            ":all:",
            "--python-platform",
            target.wheels,
            "--python-version",
            target.python,
        ]
        into: list[str | Path] = ["--link-mode", "copy", "--target", root]
        run(
            [
                uv(),
                "pip",
                "install",
                "--quiet",
                "--no-config",
                "--require-hashes",
                *wheels,
                *into,
                "-r",
                requirements,
            ],
            f"The packages of requirements/{lock}.txt can't be installed for {target}. Behind a proxy, set HTTPS_PROXY;"
            " with your own package index, set UV_DEFAULT_INDEX.",
            clean_environ(),
        )
        detail(measure_size(root))
    # run.sh has Python search the package first
    if found := find_startup_files(root, first=True):
        raise BuildFailed(explain(found, lock))
    with step("removing unused files") as detail:
        trim(root, read_entries(lock))
        detail(measure_size(root))
    if compiler:
        with step(f"compiling with Python {compiler.version}") as detail:
            compile_all(root, root, compiler)
            detail(measure_size(root))


def _compute_key(lock: str, compiler: Interpreter | None) -> str:
    here = Path(__file__).parent
    digest = hashlib.sha256((compiler.version if compiler else "no bytecode").encode())
    for path in (LOCKS / f"{lock}.txt", LOCKS / "uv.txt", *(here / name for name in _SOURCES)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
