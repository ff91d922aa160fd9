"""OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses-streaming."""

import os
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from pennyworth.gateway.dialects.events import make_renamer, named_event, split_at
from pennyworth.gateway.dialects.openai import error_body
from pennyworth.gateway.errors import ApiError

__all__ = ["ends", "error_body", "error_event", "events", "finish", "renamer", "split_error"]

# within a string quotes are escaped, so these find fields alone
_END = re.compile(rb'"type"\s*:\s*"response\.(?:completed|incomplete|failed)"')
_ERROR = re.compile(rb'"type"\s*:\s*"error"')

renamer = make_renamer


def error_event(error: ApiError) -> bytes:
    """See `Dialect.error_event`. OpenAI's own streams say it twice, and some clients wait for the second."""
    told = {"code": error.code or error.type, "message": error.message}
    failed = {
        "id": f"resp_{os.urandom(12).hex()}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "failed",
        "error": told,
        "output": [],
    }
    return named_event({"type": "error", **told, "param": error.param, "sequence_number": 0}) + named_event(
        {"type": "response.failed", "response": failed, "sequence_number": 1}
    )


def ends(tail: bytes) -> bool:
    """See `Dialect.ends`."""
    return b'"response.' in tail and bool(_END.search(tail))


def finish(tail: bytes) -> bytes | None:
    """See `Dialect.finish`."""
    return b"" if ends(tail) else None


def split_error(events: bytes) -> tuple[bytes, bytes | None]:
    """See `Dialect.split_error`."""
    if not _ERROR.search(events):
        return events, None
    return split_at(events, lambda document: document.get("type") == "error")


def events(document: dict[str, Any], request: Mapping[str, Any]) -> bytes:
    """See `Dialect.events`."""
    numbered = ({**event, "sequence_number": at} for at, event in enumerate(_tell(document)))
    return b"".join(map(named_event, numbered))


def _tell(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = {**document, "status": "in_progress", "output": []}
    yield {"type": "response.created", "response": begun}
    for at, item in enumerate(document["output"]):
        yield {"type": "response.output_item.added", "output_index": at, "item": {**item, "content": []}}
        for part_at, part in enumerate(item.get("content") or ()):
            if part.get("type") == "output_text":
                place = {"item_id": item.get("id"), "output_index": at, "content_index": part_at}
                empty = {**part, "text": ""}
                yield {"type": "response.content_part.added", **place, "part": empty}
                yield {"type": "response.output_text.delta", **place, "delta": part["text"], "logprobs": []}
                yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
                yield {"type": "response.content_part.done", **place, "part": part}
        yield {"type": "response.output_item.done", "output_index": at, "item": item}
    kind = "incomplete" if document.get("status") == "incomplete" else "completed"
    yield {"type": f"response.{kind}", "response": document}
