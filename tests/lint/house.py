"""The project's own rules about its files, which no linter knows. Run as `python -m tests.lint.house FILE ...`."""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pennyworth.host.places import ROOT

# Everybody's packages come from the index that they have chosen: none is named here. Written so that the
# pattern does not find itself.
_INDEX = re.compile(
    r"""(?<!no-emit-)(?:extra-)?index-url[ =]["']?https?:"""
    r"|//(?:[\w.-]+[.])?(?:pypi[.]org/simple|pythonhosted[.]org|registry[.]npmjs[.]org|proxy[.]golang[.]org)"
    r"|//[^/\s@'\"]+:[^/\s@'\"{$]+@[\w.-]+/\S*simple"
)


def main(files: Sequence[str]) -> int:
    """Print what breaks a rule.

    Args:
        files: names relative to the checkout's root.
    Returns:
        the exit status.
    """
    names = [Path(file) for file in files]
    problems = [*index_addresses(names), *lock_addresses(names), *incomplete_actions(names)]
    print("\n".join(problems))
    return bool(problems)


def index_addresses(names: Sequence[Path]) -> Iterator[str]:
    """Addresses of package indexes, with or without somebody's credentials."""
    for name in names:
        for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1):
            if _INDEX.search(line):
                yield f"{name}:{number}: names a package index; leave it to the machine's own settings"


def lock_addresses(names: Sequence[Path]) -> Iterator[str]:
    """Addresses in locks, which have names, versions and hashes only."""
    for name in names:
        if name.name == "package-lock.json" or name.match("requirements/*.txt"):
            for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
                if "://" in line:
                    yield f"{name}:{number}: holds an address. Run `make lock` (npm's: `python3 -m tests.npm`)"


def incomplete_actions(names: Sequence[Path]) -> Iterator[str]:
    """Folders in actions/ that are not a composite action with its page."""
    present = set(names)
    inside = [name for name in names if name.parts[0] == "actions" and len(name.parts) > 2]
    for folder in sorted({Path(*name.parts[:2]) for name in inside}):
        for wanted in ("action.yml", "README.md"):
            if folder / wanted not in present:
                yield f"{folder}: has no {wanted}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
