"""What a release is handed out as: a source archive and a wheel, the same bytes whenever they are built."""

import hashlib
import os
from pathlib import Path

from pennyworth.host.environments import LOCKS, call, uv

CHECKSUMS = "SHA256SUMS"


def build(root: Path, out: Path, seconds: int) -> list[Path]:
    """Build them.

    Args:
        root: the checkout.
        out: the folder that they are put into.
        seconds: the time that stands in them, since 1970: the commit's, for
            https://reproducible-builds.org/specs/source-date-epoch.
    Returns:
        the files, the list of their digests among them.
    Raises:
        EnvironmentUnavailable: they could not be built.
    """
    command: list[str | Path] = [
        *("/usr/bin/env", f"SOURCE_DATE_EPOCH={seconds}", uv(), "build", "--quiet", "--no-config"),
        *("--build-constraints", LOCKS / "release.txt", "--require-hashes", "--out-dir", out, root),
    ]
    out.mkdir(parents=True, exist_ok=True)
    previous = os.umask(0o022)
    try:
        call(command, "the release's archives could not be built.")
    finally:
        os.umask(previous)
    built = sorted(path for path in out.iterdir() if path.suffix in (".gz", ".whl"))
    sums = out / CHECKSUMS
    sums.write_text(
        "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in built)
    )
    return [*built, sums]
