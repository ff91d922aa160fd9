"""The protocols that clients speak: how each says that something failed, and how its streams end.

Each is a module here; `dialect` imports only the one that is needed.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Literal, Protocol, cast

from pennyworth.gateway.errors import ApiError

DialectName = Literal["anthropic", "openai", "responses"]


class Dialect(Protocol):
    """A protocol that a client speaks."""

    def error_body(self, error: ApiError) -> bytes:
        """The JSON document of a plain response that says what failed."""

    def error_event(self, error: ApiError) -> bytes:
        """The same as a server-sent event, for a stream of which whole events have gone out already."""

    def ends(self, tail: bytes) -> bool:
        """Whether a stream is over whose last bytes (at least 64 of them) these are."""

    def finish(self, tail: bytes) -> bytes | None:
        """What a stream still lacks that has ended with these events; None where it was cut."""

    def split_error(self, events: bytes) -> tuple[bytes, bytes | None]:
        """The events before one that tells a failure, and what that one says; None where there is none."""

    def events(self, document: dict[str, Any], request: Mapping[str, Any]) -> bytes:
        """A whole answer as the events of the stream that a request asked for."""

    def renamer(self, model: str) -> Callable[[bytes], bytes]:
        """What gives an answer, or one stream's events, the model's name that the client asked for."""


@cache
def dialect(name: DialectName) -> Dialect:
    """The dialect of that name."""
    return cast(Dialect, import_module(f"{__name__}.{name}"))
