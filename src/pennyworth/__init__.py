"""Your own OpenAI-compatible LLM endpoint, in your own AWS account."""

import sys

__version__ = "0.1.0"

# Here, because every command imports this first. Older Pythons must be able to read this file, down to 3.8.
if sys.version_info < (3, 11):  # noqa: UP036
    from pathlib import Path

    from pennyworth.host.newer_python import go_on_in_newer

    _why = go_on_in_newer(Path(__file__).resolve().parents[2])
    _name, _version = sys.executable.rpartition("/")[2] or "python3", ".".join(map(str, sys.version_info[:2]))
    sys.exit(
        f"{_name} here is Python {_version}; pennyworth needs 3.11 or newer."
        " Install one, or use one that you have: make demo PYTHON=python3.12" + (f"\n{_why}" if _why else "")
    )
