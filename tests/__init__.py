"""What must hold. `python3 -m tests` runs it; see __main__.py."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("pennyworth") is None:  # `python3 -m tests` without PYTHONPATH
    sys.path.append(str(Path(__file__).resolve().parents[1] / "src"))
