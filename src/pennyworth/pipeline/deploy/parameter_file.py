"""A stack's parameters on their way to `sam deploy`: by a file, because every process can read another's arguments."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_UNESCAPED_BY_SAM = re.compile(r"""\\(?=[ "'])""")


@contextmanager
def parameter_file(values: Mapping[str, str], folder: Path) -> Iterator[str]:
    """A file of parameters that only this user can read, from `with` to the end of its block.

    Args:
        values: the parameters by name.
        folder: where it lies.
    Yields:
        what `sam deploy --parameter-overrides` takes for it.
    """
    handle, path = tempfile.mkstemp(prefix="parameters-", suffix=".yaml", dir=folder)
    try:
        with os.fdopen(handle, "w") as file:
            # sam takes quotes off as it reads the file, and once more from what it has read; JSON is YAML, too
            quoted = {name: _quoted(_quoted(value)) for name, value in values.items()}
            json.dump(quoted, file, ensure_ascii=False)
        yield f"file://{path}"
    finally:
        Path(path).unlink(missing_ok=True)


def _quoted(value: str) -> str:
    """A value as sam's reader of parameters wants it: it takes off quotes, and backslashes before some characters."""
    return '"' + _UNESCAPED_BY_SAM.sub(r"\\\\", value) + '"'
