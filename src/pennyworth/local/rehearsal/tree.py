"""A copy of the checkout that act and actionlint understand: neither knows GitHub's newest syntax yet."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pennyworth.host.places import ROOT, work_dir

_REWRITTEN = (".github/workflows/*.y*ml", "actions/*/action.y*ml")

_SELF = re.compile(r"^(\s*(?:-\s+)?uses:\s*['\"]?)\$/([\w./-]+)", re.MULTILINE)

_REWRITES = (
    # this repository at the commit that runs: the same as ./ once the workflow has checked it out. See
    # https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/
    (_SELF, r"\g<1>./\g<2>"),
    # act has the checkout's place taken by the tree itself, but only where no other commit is asked for
    (re.compile(r"^(\s+)(ref: \$\{\{ inputs\.ref \}\})", re.MULTILINE), r"\g<1># \g<2>"),
    # how many runs may wait in a concurrency group, which is of no consequence on one machine. See
    # https://github.blog/changelog/2026-05-07-github-actions-concurrency-groups-now-allow-larger-queues/
    (re.compile(r"^(\s+)(queue:\s*(?:max|single)\b)", re.MULTILINE), r"\g<1># \g<2>"),
)


def rewritten_tree(dest: Path, source: Path = ROOT, called: str = "") -> Path:
    """Copy the checkout as it is now, uncommitted changes included.

    In its workflows and actions each `uses: $/` is `uses: ./` and `concurrency.queue` a comment. Once the repository
    is checked out they do what they did, and the line numbers stay.

    Args:
        dest: the copy's folder; made if need be.
        source: the tree to copy.
        called: OWNER/NAME@REF that the copy is to be, where another repository calls its workflows: `uses: $/` is then
            said in full, because ./ would be the caller's.
    Returns:
        dest.
    """
    for path in _files(source):
        if (source / path).is_file():
            (dest / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, dest / path)
    for place in _REWRITTEN:
        for file in dest.glob(place):
            file.write_text(rewritten(file.read_text(), called))
    return dest


def rewritten(text: str, called: str = "") -> str:
    """A workflow or an action as act and actionlint understand it. See `rewritten_tree`."""
    if called:
        repository, _, ref = called.partition("@")
        text = _SELF.sub(rf"\g<1>{repository}/\g<2>@{ref}", text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text


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
    ours = {work_dir(), source / ".git"}
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if Path(folder, name) not in ours]
        yield from (Path(folder, name).relative_to(source) for name in files)
