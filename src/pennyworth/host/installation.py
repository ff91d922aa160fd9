"""Where an installed package came from, and how the person at the terminal runs it."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pennyworth.host.places import ROOT, is_checkout

_NAME = "pennyworth"
_OLDEST = (3, 11)
"""The oldest Python that runs this: see pennyworth/__init__.py."""

# folders of environments that their tool deletes again
_UVX = re.compile(r"(archive|environments)-v\d+")
_PIPX_RUN = re.compile(r"[0-9a-f]{15}")


@dataclass(frozen=True, slots=True)
class Origin:
    """What the package was installed from: https://packaging.python.org/specifications/direct-url."""

    requirement: str
    """What uv, pipx and pip take, such as git+https://host/owner/name or a folder."""
    repository: str = ""
    """The git repository's URL, if it came from one."""
    commit: str = ""
    """The commit of that repository."""


def find_origin() -> Origin | None:
    """Return what the package was installed from. None in a checkout, or if it came from a package index."""
    if is_checkout():
        return None
    try:
        recorded = json.loads(metadata.distribution(_NAME).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return None
    url = recorded.get("url", "")
    if git := recorded.get("vcs_info"):
        revision = f"@{git['requested_revision']}" if git.get("requested_revision") else ""
        return Origin(f"{git['vcs']}+{url}{revision}", url, git["commit_id"])
    if url.startswith("file:"):
        url = unquote(urlsplit(url).path)
    return Origin(url) if url else None


def find_command() -> str:
    """Return the shell command that runs this program again, as it was run this time."""
    if is_checkout() and Path(sys.argv[0]).name != _NAME:
        return f"PYTHONPATH={shlex.quote(str(ROOT / 'src'))} {_find_python()} -m pennyworth.cli"
    home, origin = Path(sys.prefix), find_origin()
    source = shlex.quote(origin.requirement) if origin else ""
    if any(_UVX.fullmatch(part) for part in home.parts):
        return f"uvx --from {source} {_NAME}" if source else f"uvx {_NAME}"
    if _PIPX_RUN.fullmatch(home.name) and "pipx" in home.parts:
        return f"pipx run --spec {source} {_NAME}" if source else f"pipx run {_NAME}"
    program = home / "bin" / _NAME
    found = shutil.which(_NAME)
    return _NAME if found and Path(found).resolve() == program.resolve() else shlex.quote(str(program))


def _find_python() -> str:
    """Return a name on PATH of a Python that is new enough."""
    new_enough = ["python3", "-c", f"import sys; sys.exit(sys.version_info < {_OLDEST})"]
    try:
        fits = subprocess.run(new_enough, capture_output=True, check=False).returncode == 0
    except OSError:
        fits = False
    return "python3" if fits else f"python3.{sys.version_info.minor}"
