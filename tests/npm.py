"""Installs npm packages that the tests need from their lock, with the machine's own npm or one from a wheel.

python3 -m tests.npm    take what is an address out of the locks, after npm has written them
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pennyworth.host.environments import call, environment, locked
from pennyworth.host.places import ROOT, made

OLDEST_NODE = 20
_FILES = ("package.json", "package-lock.json", ".npmrc")
_COMPLETE = ".complete"


def programs(oldest: int = OLDEST_NODE) -> Path:
    """The folder with node and npm: PATH's where they are new enough, else those of requirements/node.txt.

    Args:
        oldest: the major version of node that is new enough.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and Path(node).parent == Path(npm).parent:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.match(r"v(\d+)\.", said)
        if version and int(version[1]) >= oldest:
            return Path(node).parent
    return environment("node")


def installed(source: Path, finish: Callable[[Path], None] = lambda _: None) -> Path:
    """The folder with the packages, complete or not at all.

    Args:
        source: the folder with package.json, package-lock.json and .npmrc. Its name names the result.
        finish: what is left to do with the folder once they are there.
    Raises:
        EnvironmentUnavailable: they can't be had.
    """
    name = source.name
    key = hashlib.sha256(b"".join((source / file).read_bytes() for file in _FILES)).hexdigest()[:12]
    folder = made("node") / f"{name}-{key}"
    if (folder / _COMPLETE).exists():
        return folder
    with locked(made("node") / f"{name}.lock"):
        if not (folder / _COMPLETE).exists():
            for old in folder.parent.glob(f"{name}-{'[0-9a-f]' * 12}"):  # not those of a longer name
                shutil.rmtree(old)
            folder.mkdir()
            for file in _FILES:
                shutil.copyfile(source / file, folder / file)
            _install(folder)
            finish(folder)
            (folder / _COMPLETE).touch()
    return folder


def _install(folder: Path) -> None:
    bin_folder = programs()
    settings = {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",  # npm is a script that looks for node
        "npm_config_cache": str(made("cache", "npm")),
        "npm_config_update_notifier": "false",
    }
    command = [bin_folder / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder]
    call(
        ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items()), *command],
        f"the packages of {folder.name} could not be installed by npm. Behind a proxy, set HTTPS_PROXY.",
    )


def without_addresses(lock: dict[str, Any]) -> dict[str, Any]:
    """A lock without where a package comes from and whom it asks for money: names, versions and hashes remain."""
    packages = {
        place: {name: value for name, value in package.items() if name not in ("funding", "resolved")}
        for place, package in lock["packages"].items()
    }
    return {**lock, "packages": packages}


def main() -> None:
    """Rewrite the locks that hold addresses."""
    for path in sorted((ROOT / "tests").rglob("package-lock.json")):
        text = path.read_text()
        new = json.dumps(without_addresses(json.loads(text)), indent=2, ensure_ascii=False) + "\n"
        if new != text:
            path.write_text(new)
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
