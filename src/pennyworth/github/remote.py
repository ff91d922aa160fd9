"""Repositories by the addresses of git remotes."""

import re

_REMOTE = re.compile(
    r"(?:\w+://(?:[^/@]+@)?(?P<host>[\w.-]+)(?::\d+)?/|(?:[\w.-]+@)?(?P<ssh_host>[\w.-]+):/?)"  # or, for ssh, HOST:
    r"(?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


def read_remote(remote: str) -> str:
    """Return OWNER/NAME of a git remote's address; empty if it has none, such as a folder."""
    found = _REMOTE.fullmatch(remote)
    return found["name"] if found else ""


def is_on(remote: str, host: str) -> bool:
    """Return whether a git remote's address is on a host, or on a subdomain of it such as ssh.github.com."""
    found = _REMOTE.fullmatch(remote)
    name = (found["host"] or found["ssh_host"] or "").lower() if found else ""
    return name == host or name.endswith(f".{host}")
