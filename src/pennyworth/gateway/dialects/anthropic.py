"""Anthropic's Messages API: https://docs.claude.com/en/api/errors and /en/docs/build-with-claude/streaming."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pennyworth.gateway.dialects.events import make_renamer, named_event, split_at
from pennyworth.gateway.errors import ApiError

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's classes of errors, by status."""

_STOP = named_event({"type": "message_stop"})
# within a string quotes are escaped, so these find fields alone
_END = re.compile(rb'"type"\s*:\s*"message_stop"')
_FINISHED = re.compile(rb'"stop_reason"\s*:\s*"')
_ERROR = re.compile(rb'"type"\s*:\s*"error"')

renamer = make_renamer


def _document(error: ApiError) -> dict[str, Any]:
    kind = _TYPES.get(error.status) or (error.type if error.type in _TYPES.values() else "api_error")
    return {"type": "error", "error": {"type": kind, "message": error.message}}


def error_body(error: ApiError) -> bytes:
    """See `Dialect.error_body`."""
    return json.dumps(_document(error), ensure_ascii=False).encode("utf-8", "replace")


def error_event(error: ApiError) -> bytes:
    """See `Dialect.error_event`."""
    return named_event(_document(error))


def ends(tail: bytes) -> bool:
    """See `Dialect.ends`."""
    return b"message_stop" in tail and bool(_END.search(tail))


def finish(tail: bytes) -> bytes | None:
    """See `Dialect.finish`."""
    if ends(tail):
        return b""
    return _STOP if _FINISHED.search(tail) else None


def split_error(events: bytes) -> tuple[bytes, bytes | None]:
    """See `Dialect.split_error`."""
    if not _ERROR.search(events):
        return events, None
    return split_at(events, lambda document: document.get("type") == "error")


def events(document: dict[str, Any], request: Mapping[str, Any]) -> bytes:
    """See `Dialect.events`."""
    return b"".join(map(named_event, _tell(document)))


_DELTAS = {
    "text": ("text", "text_delta", "text"),
    "thinking": ("thinking", "thinking_delta", "thinking"),
    "tool_use": ("input", "input_json_delta", "partial_json"),
}
"""By the kind of a block: its field that is streamed, and the delta's type and field."""
_EMPTY: Mapping[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def _tell(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {
        "type": "message_start",
        "message": {**document, "content": [], "stop_reason": None, "stop_sequence": None},
    }
    for at, block in enumerate(document["content"]):
        kind = str(block.get("type"))
        begun = {**block, **_EMPTY.get(kind, {})}
        yield {"type": "content_block_start", "index": at, "content_block": begun}
        if kind in _DELTAS:
            streamed, name, field = _DELTAS[kind]
            value = json.dumps(block[streamed]) if kind == "tool_use" else block[streamed]
            yield {"type": "content_block_delta", "index": at, "delta": {"type": name, field: value}}
        if signature := block.get("signature"):
            delta = {"type": "signature_delta", "signature": signature}
            yield {"type": "content_block_delta", "index": at, "delta": delta}
        yield {"type": "content_block_stop", "index": at}
    stopped = {name: document.get(name) for name in ("stop_reason", "stop_sequence")}
    yield {"type": "message_delta", "delta": stopped, "usage": document.get("usage", {})}
    yield {"type": "message_stop"}
