"""Zip a package, so that the same files make the same bytes on every machine. Its digest names what is deployed.

Lambda says the same digest of what it runs: https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
"""

import base64
import hashlib
import stat
import zipfile
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date in a zip file."""


def write_archive(folder: Path, archive: Path) -> None:
    """Zip a folder.

    Args:
        folder: the package's files.
        archive: the zip file. An existing one is replaced.
    """
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.create_system = 3  # Unix, whose modes follow
            entry.external_attr = (stat.S_IFREG | stat.S_IMODE(path.stat().st_mode)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, path.read_bytes())


def compute_digest(archive: Path) -> str:
    """Compute a zip file's SHA-256 in base64, as Lambda's CodeSha256 is."""
    with archive.open("rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
