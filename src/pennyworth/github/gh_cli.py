"""Access to GitHub through its command line `gh`, if it is installed and logged in.

https://cli.github.com/manual/gh_secret_set
"""

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pennyworth.github.remote import is_on, read_remote
from pennyworth.host.errors import OperationFailed

GITHUB = "github.com"
_SECONDS = 60.0
_HOST = "GH_HOST"
"""The variable with the host that gh asks: https://cli.github.com/manual/gh_help_environment."""


class GitHubFailed(OperationFailed):
    """gh failed. The message contains its output."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on GitHub."""

    name: str
    """OWNER/NAME."""
    owner_id: str = ""
    id: str = ""
    """The two numeric IDs; empty if gh could not look them up."""


def get_host() -> str:
    """Return the host that gh asks."""
    return os.environ.get(_HOST, "").lower() or GITHUB


def use_host(host: str) -> None:
    """Have gh ask another host than github.com, and look for git remotes there."""
    if host != get_host():
        os.environ[_HOST] = host


def is_logged_in() -> bool:
    """Return whether gh is installed and logged in."""
    return shutil.which("gh") is not None and _gh("auth", "status").returncode == 0


def find_repository(name: str = "") -> Repository | None:
    """Find a repository, with its numeric IDs if gh can look them up.

    Args:
        name: OWNER/NAME. Empty: the repository of this folder's git remote.
    Returns:
        the repository; None if there is no name and no git remote.
    """
    if is_logged_in():
        # gh replaces {owner} and {repo} with those of the git remote
        done = _gh("api", f"repos/{name or '{owner}/{repo}'}")
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout)
            return Repository(found["full_name"], str(found["owner"]["id"]), str(found["id"]))
    if not name:
        done = _run("git", "remote", "get-url", "origin")
        remote = done.stdout.strip() if done.returncode == 0 else ""
        name = read_remote(remote) if is_on(remote, get_host()) else ""
    return Repository(name) if name else None


def list_secrets(repository: str, environment: str = "") -> dict[str, datetime]:
    """List the secrets of a repository, or of one of its environments, by name, with the time each was set.

    Raises:
        GitHubFailed: gh failed.
    """
    listed = json.loads(_done("secret", "list", *_place(repository, environment), "--json", "name,updatedAt"))
    return {secret["name"]: datetime.fromisoformat(secret["updatedAt"]) for secret in listed}


def list_variables(repository: str, environment: str = "") -> set[str]:
    """List the names of the variables of a repository, or of one of its environments.

    Raises:
        GitHubFailed: gh failed.
    """
    listed = json.loads(_done("variable", "list", *_place(repository, environment), "--json", "name"))
    return {variable["name"] for variable in listed}


def set_secret(repository: str, name: str, value: str, environment: str = "") -> None:
    """Set a secret of a repository, or of one of its environments.

    Passes the value on standard input: other processes can see arguments.

    Raises:
        GitHubFailed: gh failed.
    """
    _done("secret", "set", name, *_place(repository, environment), value=value)


def delete_secret(repository: str, name: str, environment: str = "") -> None:
    """Delete a secret of a repository, or of one of its environments.

    Raises:
        GitHubFailed: gh failed.
    """
    _done("secret", "delete", name, *_place(repository, environment))


def make_command(repository: str, name: str, value: str | None, environment: str = "") -> str:
    """Return the shell command that sets a secret. Without a value, gh asks for it."""
    body = ["--body", value] if value is not None else []
    return shlex.join(["gh", "secret", "set", name, *_place(repository, environment), *body])


def _place(repository: str, environment: str) -> list[str]:
    return ["--repo", repository, *(["--env", environment] if environment else [])]


def _done(*words: str, value: str | None = None) -> str:
    done = _gh(*words, value=value)
    if done.returncode:
        raise GitHubFailed(
            f"`gh {' '.join(words[:3])}` failed: {done.stderr.strip() or f'exit status {done.returncode}'}"
        )
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
