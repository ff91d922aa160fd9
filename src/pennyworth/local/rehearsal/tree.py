"""Copies the project for act and actionlint, which don't support GitHub's newest syntax yet."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pennyworth.host.places import work_dir
from pennyworth.host.source_tree import source_tree

_REWRITTEN = (".github/workflows/*.y*ml", "actions/*/action.y*ml")

_SELF = re.compile(r"^(\s*(?:-\s+)?uses:\s*['\"]?)\$/([\w./-]+)", re.MULTILINE)

_REWRITES = (
    # this repository at the commit that runs: the same as ./ once the workflow has checked it out. See
    # https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/
    (_SELF, r"\g<1>./\g<2>"),
    # act uses the tree instead of a checkout, but only if no other commit is requested
    (re.compile(r"^(\s+)(ref: \$\{\{ .*\binputs\.ref \}\})", re.MULTILINE), r"\g<1># \g<2>"),
    # how many runs may wait in a concurrency group, which has no effect on one machine. See
    # https://github.blog/changelog/2026-05-07-github-actions-concurrency-groups-now-allow-larger-queues/
    (re.compile(r"^(\s+)(queue:\s*(?:max|single)\b)", re.MULTILINE), r"\g<1># \g<2>"),
)


def rewritten_tree(dest: Path, source: Path | None = None, called: str = "") -> Path:
    """Copy the project as it is now, including uncommitted changes.

    In its workflows and actions, `uses: $/` becomes `uses: ./`, and `concurrency.queue` a comment. They do the
    same once the repository is checked out. Line numbers stay the same.

    Args:
        dest: the copy's folder, created if necessary.
        source: the tree to copy. None: source_tree().
        called: the copy's OWNER/NAME@REF, if another repository calls its workflows. Then `uses: $/` becomes
            this, because ./ would be the caller's repository.
    Returns:
        dest.
    """
    source = source or source_tree()
    for path in _files(source):
        if (source / path).is_file():
            (dest / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, dest / path)
    for place in _REWRITTEN:
        for file in dest.glob(place):
            file.write_text(rewritten(file.read_text(), called))
    return dest


def rewritten(text: str, called: str = "") -> str:
    """Rewrite a workflow or an action for act and actionlint. See `rewritten_tree`."""
    if called:
        repository, _, ref = called.partition("@")
        text = _SELF.sub(rf"\g<1>{repository}/\g<2>@{ref}", text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text


def _files(source: Path) -> Iterator[Path]:
    """Yield every file that git tracks or would add. Without git, every file except generated ones."""
    if (source / ".git").exists():  # else git would answer for a repository that the tree lies in
        listed = subprocess.run(
            ["git", "-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            text=True,
            check=False,
        )
        if listed.returncode == 0:
            yield from map(Path, filter(None, listed.stdout.split("\0")))
            return
    for folder, folders, files in os.walk(source):
        folders[:] = [
            name
            for name in folders
            if name not in (".git", "__pycache__") and Path(folder, name) != work_dir()
        ]
        yield from (Path(folder, name).relative_to(source) for name in files)
