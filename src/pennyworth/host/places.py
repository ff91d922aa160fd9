"""Where things lie: the checkout, and the one folder inside it that the project writes to."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The checkout: template.yaml, requirements/ and src/ lie here."""


def work_dir() -> Path:
    """The folder for everything made on this machine; `PENNYWORTH_WORK_DIR` moves it. Ignored by git."""
    return Path(os.environ.get("PENNYWORTH_WORK_DIR") or ROOT / ".pennyworth")


def made(*parts: str) -> Path:
    """A folder below work_dir(), made if need be."""
    folder = work_dir().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
