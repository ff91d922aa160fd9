"""The log: one JSON object a line on standard output, as CloudWatch Logs Insights reads it."""

import json
import sys
import time
from typing import Any


def log(level: str, message: str, *, exception: bool = False, **facts: Any) -> None:
    """Write a line.

    Args:
        level: `info`, `warning` or `error`.
        message: what happened.
        exception: add the traceback of the exception that is being handled.
        facts: further fields. No credential and nothing of a request's content belongs here.
    """
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "level": level,
        "message": message,
        **facts,
    }
    if exception:
        import traceback

        line["traceback"] = traceback.format_exc()
    sys.stdout.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()
