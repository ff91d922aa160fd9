"""Repositories by the addresses of git remotes."""

import re

_REMOTE = re.compile(
    r"(?:\w+://(?:[^/@]+@)?[\w.-]+(?::\d+)?/|(?:[\w.-]+@)?[\w.-]+:/?)"  # or, for ssh, [USER@]HOST:
    r"(?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


def read_remote(remote: str) -> str:
    """Return OWNER/NAME of a git remote's address; empty if it has none, such as a folder."""
    found = _REMOTE.fullmatch(remote)
    return found["name"] if found else ""
