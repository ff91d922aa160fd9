"""The project's own Python environments: one for each lock in requirements/, created when first needed.

They are in work_dir(). Their names depend on the lock, the interpreter and the folder, so a change of
these creates a new environment. An interrupted build never looks like a complete environment.
"""

import fcntl
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT, made, work_dir
from pennyworth.host.processes import Child
from pennyworth.host.progress import note, say, step
from pennyworth.host.startup_files import explain, find_unexpected

LOCKS = ROOT / "requirements"

# locks that list everything needed, so that the packages' other dependencies are not installed
WITHOUT_DEPENDENCIES = frozenset({"model"})

_LOOK_SECONDS = 0.5
_COMPLETE = ".complete"
"""The file that marks a complete environment. It contains the interpreter's identity."""


class EnvironmentUnavailable(OperationFailed):
    """An environment could not be created. The message says what to do next."""


def environment(name: str, python: str | None = None) -> Path:
    """Return the folder with the programs of an environment. Creates the environment if necessary.

    Args:
        name: the lock's name, such as `tools` for requirements/tools.txt.
        python: the interpreter to create it with. Default: the running one.
    Returns:
        its bin folder, as in `environment("tools") / "sam"`.
    Raises:
        EnvironmentUnavailable: the packages can't be installed, or the interpreter can't create environments.
    """
    lock = LOCKS / f"{name}.txt"
    if not lock.exists():
        raise EnvironmentUnavailable(f"{lock.relative_to(ROOT)} is missing. Create it with `make lock`.")
    interpreter = _resolved(python or sys.executable)
    identity = _identity(interpreter)
    home = made("env") / _name_home(lock, identity)
    if _made_with(home) == identity:
        return home / "bin"
    with locked(made("env") / f"{name}.lock"):
        if _made_with(home) is None:
            with step(f"creating the environment '{name}' (first time only)") as detail:
                shutil.rmtree(home, ignore_errors=True)
                (_make_with_venv if name == "uv" else _make_with_uv)(lock, home, interpreter)
                (home / _COMPLETE).write_text(identity)
                detail(f"{len(re.findall(r'^[^ #]+==', lock.read_text(), re.MULTILINE))} packages")
            for old in home.parent.glob(f"{name}-{'[0-9a-f]' * 12}"):  # not those of a longer name
                if old != home and _made_with(old) in (identity, None):
                    shutil.rmtree(old, ignore_errors=True)
    return home / "bin"


def exists(name: str) -> bool:
    """Return whether an environment for the running interpreter is there and complete."""
    identity = _identity(_resolved(sys.executable))
    return _made_with(work_dir() / "env" / _name_home(LOCKS / f"{name}.txt", identity)) == identity


def _name_home(lock: Path, identity: str) -> str:
    # scripts in bin/ contain the interpreter's full path, so a moved checkout needs new ones
    key = hashlib.sha256(lock.read_bytes() + f"{identity} {work_dir().resolve()}".encode()).hexdigest()[:12]
    return f"{lock.stem}-{key}"


def name_kept_wheels(name: str) -> str:
    """Return the folder in work_dir() for the wheels of a lock: see host/wheels.py. Without a name, that of all."""
    if not name:
        return "wheels"
    return f"wheels/{name}-{hashlib.sha256((LOCKS / f'{name}.txt').read_bytes()).hexdigest()[:12]}"


def find_kept_wheels(name: str) -> Path | None:
    """Return the folder with the wheels of a lock; None if there is none."""
    folder = work_dir() / name_kept_wheels(name)
    return folder if folder.is_dir() else None


def uv() -> Path:
    """Return the path of uv, which has an environment of its own."""
    return environment("uv") / "uv"


def clean_environ() -> dict[str, str]:
    """Return environment variables for a tool: those of this process, except some for pip, uv and Python.

    Removes variables that change where packages are installed or which Python is used. Keeps the settings for
    reaching a package index: proxies, certificates, the index and its credentials.
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
    # use the system's certificate authorities, because a company's proxy may be known only there
    authorities = ssl.get_default_verify_paths()
    if authorities.cafile or authorities.capath:
        environ.setdefault("UV_SYSTEM_CERTS", "1")
    if authorities.cafile:
        for program in ("PIP_CERT", "NODE_EXTRA_CA_CERTS"):
            environ.setdefault(program, authorities.cafile)
    environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return environ


def _make_with_venv(lock: Path, home: Path, python: str) -> None:
    """Create the environment of uv with the standard library's venv and pip."""
    call(
        [python, "-m", "venv", home],
        f"{python} can't create a virtual environment. On Debian and Ubuntu, run: apt install python3-venv",
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
    _install([*pip, "--require-hashes", "-r", lock], lock)
    _check_startup(lock, home)


def _make_with_uv(lock: Path, home: Path, python: str) -> None:
    """Create any other environment with uv, which takes a tenth of pip's time."""
    call(
        [uv(), "venv", "--quiet", "--no-project", "--no-config", "--python", python, home],
        f"uv can't create an environment with {python}.",
    )
    install: list[str | Path] = [uv(), "pip", "install", "--no-config", "--require-hashes"]
    install += ["--no-deps"] if lock.stem in WITHOUT_DEPENDENCIES else []
    install += ["--python", home / "bin" / "python", "-r", lock]
    # No --compile-bytecode: it takes twenty times as long as all the rest, for modules of which few are ever imported
    _install(install, lock)
    _check_startup(lock, home)


def _install(command: list[str | Path], lock: Path) -> None:
    """Install from wheels that were kept; without them, or if one is damaged, from the package index."""
    if kept := find_kept_wheels(lock.stem):
        try:
            call([*command, "--no-index", "--find-links", kept], "the kept packages can't be installed.")
        except EnvironmentUnavailable as failure:
            say(f"  ! {failure}")
        else:
            return
    call(command, _not_installed(lock))


def _check_startup(lock: Path, home: Path) -> None:
    """Check that no package runs code of its own whenever the environment's Python starts."""
    for folder in home.glob("lib/python*/site-packages"):
        if found := find_unexpected(folder):
            raise EnvironmentUnavailable(explain(found, lock.stem))


def _not_installed(lock: Path) -> str:
    return (
        f"the packages of requirements/{lock.name} can't be installed. Behind a proxy, set HTTPS_PROXY. To use your own"
        " package index, set PIP_INDEX_URL and UV_DEFAULT_INDEX."
    )


def call(command: Sequence[str | Path], trouble: str) -> None:
    """Run a tool and wait for it to end.

    Args:
        command: the program and its arguments.
        trouble: the error message if it fails.
    Raises:
        EnvironmentUnavailable: it failed. The message is `trouble`, followed by the tool's output.
    """
    with tempfile.TemporaryDirectory(dir=made("tmp")) as scratch:
        log = Path(scratch, "log")
        with Child(command, log=log, env={**clean_environ(), "TMPDIR": scratch}) as child:
            while (status := _look(child)) is None:
                note(child.tail(1).strip())  # such as: Downloading litellm (14.2MiB)
            if status:
                raise EnvironmentUnavailable(f"{trouble}\n{log.read_text(errors='replace').strip()}")


def _look(child: Child) -> int | None:
    """Wait a moment. Returns the exit status; None if it is still running."""
    try:
        return child.wait(_LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _identity(python: str) -> str:
    """Return an interpreter's identity: its path and, if it is the running one, its version."""
    version = sys.version if python == _resolved(sys.executable) else ""
    return f"{python} {version}"


def _resolved(python: str) -> str:
    """Return an interpreter's real path: a link to it may be deleted before the environment is."""
    return str(Path(shutil.which(python) or python).resolve())


def _made_with(home: Path) -> str | None:
    """Return the identity of an environment's interpreter; None if the environment is missing or incomplete."""
    try:
        return (home / _COMPLETE).read_text()
    except OSError:
        return None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that concurrent commands create something only once. The file's name says what."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  · waiting: another command is creating {path.stem}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
