"""The project's own Python environments: one for each lock in requirements/, made when first needed.

They lie in the project's folder, are named by what they hold (so a changed lock or interpreter makes a new one), and
are complete or absent: an interrupted build leaves nothing that looks usable.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pennyworth.host.places import ROOT, made
from pennyworth.host.progress import say, step

LOCKS = ROOT / "requirements"

# locks that name only what is used of a package, so that what it would pull in stays away
WITHOUT_DEPENDENCIES = frozenset({"model"})


class EnvironmentUnavailable(RuntimeError):
    """An environment could not be made; the message says what to do next."""


def environment(name: str, python: str | None = None) -> Path:
    """The folder with the programs of an environment, made first if it is not there.

    Args:
        name: a lock's name: `tools` stands for requirements/tools.txt.
        python: the interpreter to make it with; the running one by default.
    Returns:
        its bin folder: `environment("tools") / "sam"`.
    Raises:
        EnvironmentUnavailable: the packages can't be had or the interpreter can't make environments.
    """
    lock = LOCKS / f"{name}.txt"
    python = python or sys.executable
    key = hashlib.sha256(lock.read_bytes() + _identity(python).encode()).hexdigest()[:12]
    home = made("env") / f"{name}-{key}"
    ready = home / ".complete"
    if ready.exists():
        return home / "bin"
    with _locked(made("env") / f"{name}.lock"):
        if not ready.exists():
            with step(f"making the environment '{name}' (first time only)") as detail:
                shutil.rmtree(home, ignore_errors=True)
                (_make_with_venv if name == "uv" else _make_with_uv)(lock, home, python)
                ready.touch()
                detail(f"{lock.read_text().count('==')} packages")
            for old in home.parent.glob(f"{name}-*"):
                if old != home and _identity(python) == _made_with(old):
                    shutil.rmtree(old, ignore_errors=True)
            (home / ".python").write_text(_identity(python))
    return home / "bin"


def uv() -> Path:
    """The uv program, from an environment of its own."""
    return environment("uv") / "uv"


def clean_environ() -> dict[str, str]:
    """The environment for a tool: this process's, without what would lead pip, uv or Python elsewhere.

    Settings that reach a registry (proxies, certificates, index and its credentials) are kept.
    """
    dropped = {
        "VIRTUAL_ENV",
        "PYTHONHOME",
        "PYTHONPATH",
        "UV_PYTHON",
        "UV_PROJECT_ENVIRONMENT",
        "UV_SYSTEM_PYTHON",
        "UV_TARGET",
        "UV_REQUIRE_HASHES",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_USER",
        "PIP_REQUIRE_VIRTUALENV",
    }
    environ = {name: value for name, value in os.environ.items() if name not in dropped}
    environ.setdefault("UV_CACHE_DIR", str(made("cache", "uv")))
    environ.setdefault("UV_NO_PROGRESS", "1")
    environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
    environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return environ


def _make_with_venv(lock: Path, home: Path, python: str) -> None:
    """The first environment: the standard library's venv, and pip into it."""
    made_ = _call([python, "-m", "venv", str(home)])
    if made_.returncode:
        raise EnvironmentUnavailable(
            f"{python} can't make a virtual environment. On Debian and Ubuntu: apt install python3-venv.\n"
            f"{(made_.stdout + made_.stderr).strip()}"
        )
    _install(
        [
            str(home / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-cache-dir",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "-r",
            str(lock),
        ],
        lock,
    )


def _make_with_uv(lock: Path, home: Path, python: str) -> None:
    made_ = _call(
        [str(uv()), "venv", "--quiet", "--no-project", "--no-config", "--python", python, str(home)]
    )
    if made_.returncode:
        raise EnvironmentUnavailable(f"no environment with {python}:\n{made_.stderr.strip()}")
    _install(
        [
            str(uv()),
            "pip",
            "install",
            "--quiet",
            "--no-config",
            "--require-hashes",
            "--link-mode",
            "copy",
            "--compile-bytecode",
            *(["--no-deps"] if lock.stem in WITHOUT_DEPENDENCIES else []),
            "--python",
            str(home / "bin" / "python"),
            "-r",
            str(lock),
        ],
        lock,
    )


def _install(command: list[str], lock: Path) -> None:
    done = _call(command)
    if done.returncode:
        raise EnvironmentUnavailable(
            f"the packages of {lock.relative_to(ROOT)} could not be installed. Behind a proxy, set HTTPS_PROXY; with a"
            f" package index of your own, PIP_INDEX_URL and UV_DEFAULT_INDEX.\n{(done.stdout + done.stderr).strip()}"
        )


def _call(command: list[str]) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**clean_environ(), "TMPDIR": scratch},
        )


def _identity(python: str) -> str:
    """What makes an interpreter the same one again: its path, and its version where it is the running one."""
    resolved = shutil.which(python) or python
    version = sys.version if Path(resolved).resolve() == Path(sys.executable).resolve() else ""
    return f"{Path(resolved).resolve()} {version}"


def _made_with(home: Path) -> str | None:
    try:
        return (home / ".python").read_text()
    except OSError:
        return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two commands at once make an environment once."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  · waiting: another command is making {path.stem}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
