"""The project's own Python environments: one for each lock in requirements/, made when first needed.

They lie in the project's folder, are named by what they hold (so a changed lock, interpreter or folder makes
a new one), and are complete or absent: an interrupted build leaves nothing that looks usable.
"""

import fcntl
import hashlib
import os
import re
import shutil
import ssl
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT, made, work_dir
from pennyworth.host.processes import Child
from pennyworth.host.progress import say, step

LOCKS = ROOT / "requirements"

# locks that name only what is used of a package, so that what it would pull in stays away
WITHOUT_DEPENDENCIES = frozenset({"model"})

_COMPLETE = ".complete"
"""The file in a finished environment; holds the interpreter's identity."""


class EnvironmentUnavailable(OperationFailed):
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
    if not lock.exists():
        raise EnvironmentUnavailable(
            "This works in a checkout of pennyworth's repository, and this is an installed package: clone the"
            " repository and run it there. `pennyworth serve` and `pennyworth smoke` work anywhere."
            if not LOCKS.exists()
            else f"{lock.relative_to(ROOT)} is missing. Make it with `make lock`."
        )
    interpreter = _resolved(python or sys.executable)
    identity = _identity(interpreter)
    # scripts in bin/ name their interpreter by its full path: a moved checkout needs new ones
    key = hashlib.sha256(lock.read_bytes() + f"{identity} {work_dir().resolve()}".encode()).hexdigest()[:12]
    home = made("env") / f"{name}-{key}"
    if _made_with(home) == identity:
        return home / "bin"
    with locked(made("env") / f"{name}.lock"):
        if _made_with(home) is None:
            with step(f"making the environment '{name}' (first time only)") as detail:
                shutil.rmtree(home, ignore_errors=True)
                (_make_with_venv if name == "uv" else _make_with_uv)(lock, home, interpreter)
                (home / _COMPLETE).write_text(identity)
                detail(f"{len(re.findall(r'^[^ #]+==', lock.read_text(), re.MULTILINE))} packages")
            for old in home.parent.glob(f"{name}-*"):
                if old != home and _made_with(old) in (identity, None):
                    shutil.rmtree(old, ignore_errors=True)
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
    # where the system keeps certificate authorities, they hold: an employer's proxy is known there and nowhere else
    authorities = ssl.get_default_verify_paths()
    if authorities.cafile or authorities.capath:
        environ.setdefault("UV_SYSTEM_CERTS", "1")
    if authorities.cafile:
        for program in ("PIP_CERT", "NODE_EXTRA_CA_CERTS"):
            environ.setdefault(program, authorities.cafile)
    environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return environ


def _make_with_venv(lock: Path, home: Path, python: str) -> None:
    """The first environment: the standard library's venv, and pip into it."""
    call(
        [python, "-m", "venv", home],
        f"{python} can't make a virtual environment. On Debian and Ubuntu: apt install python3-venv.",
    )
    pip: list[str | Path] = [
        home / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-cache-dir",
        "--only-binary",
        ":all:",
    ]
    call([*pip, "--require-hashes", "-r", lock], _not_installed(lock))


def _make_with_uv(lock: Path, home: Path, python: str) -> None:
    """Every other one: uv, which takes a tenth of pip's time."""
    call(
        [uv(), "venv", "--quiet", "--no-project", "--no-config", "--python", python, home],
        f"no environment could be made with {python}.",
    )
    install: list[str | Path] = [
        uv(),
        "pip",
        "install",
        "--quiet",
        "--no-config",
        "--compile-bytecode",
        "--require-hashes",
    ]
    dependencies = ["--no-deps"] if lock.stem in WITHOUT_DEPENDENCIES else []
    call([*install, *dependencies, "--python", home / "bin" / "python", "-r", lock], _not_installed(lock))


def _not_installed(lock: Path) -> str:
    return (
        f"the packages of requirements/{lock.name} could not be installed. Behind a proxy, set HTTPS_PROXY;"
        " with a package index of your own, PIP_INDEX_URL and UV_DEFAULT_INDEX."
    )


def call(command: Sequence[str | Path], trouble: str) -> None:
    """Run one of these tools to its end.

    Args:
        command: program and arguments.
        trouble: what to say where it fails; the tool's own words follow.
    Raises:
        EnvironmentUnavailable: it failed; says `trouble`, then what the tool said.
    """
    with tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        log = Path(scratch, "log")
        with Child(command, log=log, env={**clean_environ(), "TMPDIR": scratch}) as child:
            if child.wait():
                raise EnvironmentUnavailable(f"{trouble}\n{log.read_text(errors='replace').strip()}")


def _identity(python: str) -> str:
    """What makes an interpreter the same one again: its path, and its version where it is the running one."""
    version = sys.version if python == _resolved(sys.executable) else ""
    return f"{python} {version}"


def _resolved(python: str) -> str:
    """An interpreter by its own path: a link to it may be gone before the environment is."""
    return str(Path(shutil.which(python) or python).resolve())


def _made_with(home: Path) -> str | None:
    """The identity of the interpreter that an environment was made with; None: it is absent or half made."""
    try:
        return (home / _COMPLETE).read_text()
    except OSError:
        return None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two commands at once make a thing once. Its name says what."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  · waiting: another command is making {path.stem}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
