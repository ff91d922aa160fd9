"""What became of a request, as the log line has it."""

import time
from dataclasses import dataclass
from typing import Any

from pennyworth.gateway.log import log
from pennyworth.gateway.wsgi import Request

_LONGEST_PATH = 200
"""Characters of a path in the log; anybody can send a long one."""

Usage = dict[str, int]
"""Tokens by OpenAI's names for them, such as prompt_tokens."""


@dataclass(slots=True, eq=False, repr=False)
class Outcome:
    """Filled while a request is answered."""

    request: Request
    status: int = 0
    caller: str | None = None
    model: str | None = None
    provider: str | None = None
    lane: str | None = None
    stream: bool | None = None
    tags: tuple[str, ...] = ()
    attempts: int = 0
    usage: Usage | None = None
    """As the upstream told it."""
    error: str | None = None
    """Its code."""
    sent_bytes: int = 0
    first_ms: float | None = None
    """Milliseconds to the first byte of the response's body."""
    _settled: bool = False

    def count(self, chunk: bytes) -> None:
        """Add what goes out."""
        if not self.sent_bytes:
            self.first_ms = self._elapsed()
        self.sent_bytes += len(chunk)

    def settle(self) -> None:
        """Write the log line, once.

        Before the last chunk goes out: a client that has it is done, and a function's environment may then be frozen.
        """
        if self._settled:
            return
        self._settled = True
        fields: dict[str, Any] = {
            "request": self.request.id,
            "method": self.request.method,
            "path": self.request.path[:_LONGEST_PATH],
            "status": self.status,
            "ms": self._elapsed(),
            "caller": self.caller,
            "model": self.model,
            "provider": self.provider,
            "lane": self.lane,
            "stream": self.stream,
            "attempts": self.attempts if self.attempts > 1 else None,
            "tags": self.tags or None,
            "usage": self.usage,
            "error": self.error,
            "bytes": self.sent_bytes,
            "first_ms": self.first_ms,
        }
        log("info", "request", **{name: value for name, value in fields.items() if value is not None})

    def _elapsed(self) -> float:
        return round((time.monotonic() - self.request.began) * 1000, 1)
