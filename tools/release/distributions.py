"""Builds a release's files: a source archive and a wheel. Every build gives the same bytes."""

import hashlib
import os
from pathlib import Path

from pennyworth.host.environments import LOCKS, call, uv

CHECKSUMS = "SHA256SUMS"


def build(root: Path, out: Path, seconds: int) -> list[Path]:
    """Build the source archive, the wheel and the list of their SHA-256 digests.

    Args:
        root: the checkout.
        out: the folder to write the files to.
        seconds: the time of the files in them, in seconds since 1970, as in
            https://reproducible-builds.org/specs/source-date-epoch: the commit's time.
    Returns:
        the paths of the files, including the list of digests.
    Raises:
        EnvironmentUnavailable: the build failed.
    """
    command: list[str | Path] = ["/usr/bin/env", f"SOURCE_DATE_EPOCH={seconds}"]
    command += [uv(), "build", "--quiet", "--no-config"]
    command += ["--build-constraints", LOCKS / "release.txt", "--require-hashes"]
    command += ["--out-dir", out]
    command.append(root)
    out.mkdir(parents=True, exist_ok=True)
    previous = os.umask(0o022)
    try:
        call(command, "the release's files could not be built.")
    finally:
        os.umask(previous)
    built = sorted(path for path in out.iterdir() if path.suffix in (".gz", ".whl"))
    sums = out / CHECKSUMS
    sums.write_text(
        "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in built)
    )
    return [*built, sums]
