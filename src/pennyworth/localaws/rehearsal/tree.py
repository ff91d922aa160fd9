"""A copy of the checkout that act and actionlint understand: neither knows `uses: $/` yet, both know `uses: ./`."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pennyworth.host.places import ROOT, work_dir

_SELF_REFERENCE = re.compile(r"^(\s*(?:-\s+)?uses:\s*['\"]?)\$/", re.MULTILINE)
_WORKFLOWS = (".github/workflows/*.y*ml", "actions/*/action.y*ml")


def rewritten_tree(dest: Path, source: Path = ROOT) -> Path:
    """Copy the checkout as it is now, uncommitted changes included, with each `uses: $/` as `uses: ./`.

    Once a workflow has checked its own repository out, the two mean the same, and line numbers stay.

    Args:
        dest: the copy's folder; made if need be.
        source: the tree to copy.
    Returns:
        dest.
    """
    for path in _files(source):
        if (source / path).is_file():
            (dest / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, dest / path)
    for pattern in _WORKFLOWS:
        for file in dest.glob(pattern):
            file.write_text(_SELF_REFERENCE.sub(r"\g<1>./", file.read_text()))
    return dest


def _files(source: Path) -> Iterator[Path]:
    """Every file that git knows or would add; where there is no git, every file but those that we made."""
    listed = subprocess.run(
        ["git", "-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        yield from map(Path, filter(None, listed.stdout.split("\0")))
        return
    ours = {str(work_dir()), str(source / ".git")}
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in ours]
        yield from (Path(folder, name).relative_to(source) for name in files)
