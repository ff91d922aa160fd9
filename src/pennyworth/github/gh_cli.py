"""The repository at GitHub, through its own program `gh` where that is installed and logged in.

https://cli.github.com/manual/gh_secret_set
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pennyworth.host.errors import OperationFailed

_SECONDS = 60.0
_REMOTE = re.compile(r"github\.com[:/](?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?$")


class GitHubFailed(OperationFailed):
    """gh could not do what it was asked; the message holds its own words."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as GitHub knows it."""

    name: str
    """OWNER/NAME."""
    owner_id: str = ""
    id: str = ""
    """The two numbers; empty where they could not be asked for."""


def is_logged_in() -> bool:
    """Whether gh is there and may speak for somebody."""
    return shutil.which("gh") is not None and _gh("auth", "status").returncode == 0


def find_repository(name: str = "") -> Repository | None:
    """A repository, its numbers included where gh can ask for them.

    Args:
        name: OWNER/NAME; by default the one that this folder's git remote is.
    Returns:
        None where there is none.
    """
    if is_logged_in():
        # gh itself puts the remote's owner and name for {owner} and {repo}
        done = _gh("api", f"repos/{name or '{owner}/{repo}'}")
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout)
            return Repository(found["full_name"], str(found["owner"]["id"]), str(found["id"]))
    if not name:
        done = _run("git", "remote", "get-url", "origin")
        remote = _REMOTE.search(done.stdout.strip()) if done.returncode == 0 else None
        name = remote["name"] if remote else ""
    return Repository(name) if name else None


def list_secrets(repository: str) -> dict[str, datetime]:
    """The names of a repository's secrets, and when each was set.

    Raises:
        GitHubFailed: gh may not ask.
    """
    listed = json.loads(_done("secret", "list", "--repo", repository, "--json", "name,updatedAt"))
    return {secret["name"]: datetime.fromisoformat(secret["updatedAt"]) for secret in listed}


def set_secret(repository: str, name: str, value: str) -> None:
    """Set one of a repository's secrets. Its value goes by standard input, as arguments can be read by everybody.

    Raises:
        GitHubFailed: gh may not.
    """
    _done("secret", "set", name, "--repo", repository, value=value)


def delete_secret(repository: str, name: str) -> None:
    """Remove one of a repository's secrets.

    Raises:
        GitHubFailed: gh may not.
    """
    _done("secret", "delete", name, "--repo", repository)


def make_command(repository: str, name: str, value: str | None) -> str:
    """What a person types to set a secret; without a value gh asks for it."""
    body = ["--body", value] if value is not None else []
    return shlex.join(["gh", "secret", "set", name, "--repo", repository, *body])


def _done(*words: str, value: str | None = None) -> str:
    done = _gh(*words, value=value)
    if done.returncode:
        raise GitHubFailed(f"gh {' '.join(words[:3])}: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout


def _gh(*words: str, value: str | None = None) -> subprocess.CompletedProcess[str]:
    return _run("gh", *words, value=value)


def _run(*words: str, value: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            input=value or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env={**os.environ, "GH_PROMPT_DISABLED": "1", "NO_COLOR": "1"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 127, "", str(error))
