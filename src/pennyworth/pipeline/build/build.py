"""Build the function's package: the gateway, its packages, its configuration and its start script.

The same inputs result in the same bytes: file dates and modes are fixed.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

from pennyworth import __version__
from pennyworth.host.environments import LOCKS
from pennyworth.host.interpreters import interpreter
from pennyworth.host.places import made
from pennyworth.host.progress import say, step
from pennyworth.host.source_tree import source_tree
from pennyworth.pipeline.build.bytecode import compile_all
from pennyworth.pipeline.build.configuration import Configuration
from pennyworth.pipeline.build.dependencies import install_dependencies, measure_size
from pennyworth.pipeline.build.target import Target

ENTRY = "run.sh"
"""The script in src/ that starts the function."""

_EPOCH = 315_532_800  # 1980-01-01, the earliest date in a zip file


class Choice(StrEnum):
    """Whether to include LiteLLM."""

    AUTO = "auto"
    YES = "yes"
    NO = "no"


def build(
    root: Path, target: Target, settings: Configuration, litellm: Choice, kept: Path | None = None
) -> None:
    """Build the package.

    Args:
        root: the folder for the package.
        target: the package's target.
        settings: the package's configuration.
        litellm: whether to include LiteLLM; AUTO decides by the configuration.
        kept: the cache folder of installed packages; by default a folder in the project.
    Raises:
        BuildFailed: the build failed; the message says why.
        EnvironmentUnavailable: a Python environment is missing; the message says why.
    """
    packed = settings.needs_litellm if litellm is Choice.AUTO else litellm is Choice.YES
    if settings.needs_litellm and settings.document and not packed:
        say("  ! the configuration has models that need LiteLLM. Without it, requests for them fail")
    compiler = interpreter(target.python)
    if not compiler:
        say(
            f"  ! no Python {target.python} on this machine, so the package has no bytecode, and each cold start takes"
            f" about twice as long. Install python{target.python} (or `uv python install {target.python}`) and build"
            " again."
        )
    lock = "litellm" if packed else "gateway"
    tree = install_dependencies(target, lock, compiler, kept or made("cache", "packages"))
    with step(f"packing the gateway for {target}, {'with' if packed else 'without'} LiteLLM") as detail:
        root.mkdir(parents=True, exist_ok=True)
        shutil.copytree(tree, root, dirs_exist_ok=True, symlinks=True)
        package = root / "pennyworth"
        sources = source_tree() / "src"
        shutil.copytree(sources / "pennyworth" / "gateway", package / "gateway", ignore=_list_ignored)
        shutil.copy(sources / "pennyworth" / "__init__.py", package)
        shutil.copy(sources / ENTRY, root)
        if settings.document is not None:
            (root / "config.json").write_text(settings.document, encoding="utf-8")
        manifest = {
            "pennyworth": __version__,
            "target": asdict(target),
            "bytecode": compiler.version if compiler else None,
            "lanes": ["direct", "litellm"] if packed else ["direct"],
            "lock": {
                "name": lock,
                "sha256": hashlib.sha256((LOCKS / f"{lock}.txt").read_bytes()).hexdigest(),
            },
        }
        (root / "build.json").write_text(json.dumps(manifest, indent=1) + "\n")
        if compiler:
            compile_all(package, root, compiler)
        _normalize(root)
        detail(measure_size(root))


def _list_ignored(folder: str, names: list[str]) -> set[str]:
    """List what shutil.copytree should skip: bytecode caches and hidden files."""
    return {name for name in names if name == "__pycache__" or name.startswith(".")}


def _normalize(root: Path) -> None:
    """Set fixed modes and dates, independent of the machine's umask and clock."""
    for folder, _folders, files in os.walk(root, topdown=False):
        for path in (Path(folder, name) for name in files):
            if not path.is_symlink():
                path.chmod(0o755 if path.parent == root and path.name == ENTRY else 0o644)
                os.utime(path, (_EPOCH, _EPOCH))
        Path(folder).chmod(0o755)
        os.utime(folder, (_EPOCH, _EPOCH))
