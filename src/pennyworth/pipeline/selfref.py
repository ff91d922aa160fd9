"""The checkout as tools see it that do not know `uses: $/...` yet.

GitHub reads `$/actions/x` as "this repository, at the commit that is running":
https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/
actionlint and act know only `./actions/x`, which means the same within one checkout.
"""

import re
import shutil
import subprocess
from pathlib import Path

from pennyworth.host.places import ROOT

_USES = re.compile(r"""^(\s*(?:-\s+)?uses:\s*["']?)\$/""", re.MULTILINE)


def tracked_files(*pathspecs: str) -> list[Path]:
    """The checkout's files, relative to its root: what git tracks or would track, nothing that it ignores.

    Args:
        pathspecs: git's pathspecs (https://git-scm.com/docs/gitglossary#def_pathspec); everything by default.
    Raises:
        subprocess.CalledProcessError: this is no git checkout.
    """
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *pathspecs],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    names = {Path(name) for name in listing.decode().split("\0") if name}
    return sorted(name for name in names if (ROOT / name).is_file())


def rewritten_tree(dest: Path) -> Path:
    """Copy the checkout, with `./` in place of `$/` wherever a workflow or an action uses one of its own.

    Args:
        dest: the folder to fill, made if need be. Belongs to the caller, who also removes it.
    Returns:
        dest.
    """
    for name in tracked_files():
        target = dest / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
        if name.parts[0] in (".github", "actions") and name.suffix in (".yml", ".yaml"):
            target.write_text(_USES.sub(r"\1./", target.read_text()))
    return dest
