"""Measurements against peers: both sides in one run, on one machine. Ratios are what holds elsewhere."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("pennyworth") is None:  # `python3 -m bench` without PYTHONPATH
    sys.path.append(str(Path(__file__).resolve().parents[1] / "src"))
