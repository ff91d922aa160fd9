"""The paths of the checkout and of the one folder that the project writes to."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The checkout, with template.yaml, requirements/ and src/."""


def work_dir() -> Path:
    """Return the folder for all generated files. PENNYWORTH_WORK_DIR changes it; git ignores it."""
    return Path(os.environ.get("PENNYWORTH_WORK_DIR") or ROOT / ".pennyworth")


def made(*parts: str) -> Path:
    """Return a folder in work_dir(). Creates it if necessary."""
    folder = work_dir().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
