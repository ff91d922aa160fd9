"""git, asked about a folder."""

import subprocess
from pathlib import Path


def ask_git(folder: Path, *words: str) -> str:
    """Run git in a folder and return its output; empty if it fails."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip() if done.returncode == 0 else ""
