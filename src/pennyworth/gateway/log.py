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


def adopt_logger(name: str) -> None:
    """Have a library's warnings written as lines of this log, and nothing less.

    Args:
        name: its logger's.
    """
    import logging

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            cause = record.exc_info[0] if record.exc_info else None
            facts: dict[str, Any] = {"reason": cause.__name__} if cause else {}
            log(record.levelname.lower(), record.getMessage(), logger=record.name, **facts)

    logger = logging.getLogger(name)
    logger.handlers, logger.propagate = [Lines(logging.WARNING)], False
