"""The log: one JSON object a line on standard output, as CloudWatch Logs Insights reads it."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def log(level: str, message: str, *, exception: bool = False, **facts: Any) -> None:
    """Write a line.

    Args:
        level: `info`, `warning` or `error`.
        message: what happened.
        exception: add where the exception that is being handled was raised, without what it says: that may quote a
            credential or a prompt.
        facts: further fields. No credential and nothing of a request's content belongs here.
    """
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "level": level,
        "message": message,
        **facts,
    }
    if exception:
        line["exception"] = [*_describe(sys.exc_info()[1])]
    # ASCII: some characters beyond it would start a line or turn the reading direction
    sys.stdout.write(json.dumps(line, default=str) + "\n")
    sys.stdout.flush()


def _describe(error: BaseException | None) -> Iterator[str]:
    """An exception and what led to it: the class of each, and the places that it passed."""
    import traceback  # seldom wanted

    seen: set[int] = set()
    while error and id(error) not in seen:
        seen.add(id(error))
        frames = traceback.extract_tb(error.__traceback__)
        places = " < ".join(
            f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in reversed(frames)
        )
        yield f"{type(error).__name__}: {places}"
        error = error.__cause__ or error.__context__


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
