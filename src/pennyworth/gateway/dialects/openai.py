"""OpenAI's API: https://platform.openai.com/docs/guides/error-codes."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pennyworth.gateway.dialects.events import make_renamer, split_at
from pennyworth.gateway.errors import ApiError

_DONE = b"data: [DONE]\n\n"
# within a string quotes are escaped, so these find fields alone
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
_END = re.compile(rb"(?:^|\n)data: ?\[DONE\]\s*$")
_ERROR = re.compile(rb'"error"\s*:\s*[{"]')

renamer = make_renamer


def error_body(error: ApiError) -> bytes:
    """See `Dialect.error_body`."""
    document = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return json.dumps({"error": document}, ensure_ascii=False).encode("utf-8", "replace")


def error_event(error: ApiError) -> bytes:
    """See `Dialect.error_event`."""
    return b"data: " + error_body(error) + b"\n\n"


def ends(tail: bytes) -> bool:
    """See `Dialect.ends`."""
    return b"[DONE]" in tail[-32:] and bool(_END.search(tail[-32:]))


def finish(tail: bytes) -> bytes | None:
    """See `Dialect.finish`. Some servers leave the end mark out, behind a chunk that says why the answer is over."""
    if ends(tail):
        return b""
    return _DONE if _FINISHED.search(tail) else None


def split_error(events: bytes) -> tuple[bytes, bytes | None]:
    """See `Dialect.split_error`."""
    if not _ERROR.search(events):
        return events, None
    return split_at(events, lambda document: bool(document.get("error")))


def events(document: dict[str, Any], request: Mapping[str, Any]) -> bytes:
    """See `Dialect.events`: https://platform.openai.com/docs/api-reference/chat-streaming."""
    chat = any("message" in choice for choice in document["choices"])
    shared = {name: value for name, value in document.items() if name not in ("choices", "usage", "object")}
    shared["object"] = "chat.completion.chunk" if chat else "text_completion"
    chunks = [{**shared, "choices": [_delta(choice)]} for choice in document["choices"]]
    chunks += [
        {
            **shared,
            "choices": [{**_ending(choice, chat), "finish_reason": choice.get("finish_reason") or "stop"}],
        }
        for choice in document["choices"]
    ]
    if usage := document.get("usage"):
        # a chunk without choices only for who asks for it: others take the first of each
        options = request.get("stream_options")
        if isinstance(options, Mapping) and options.get("include_usage"):
            chunks.append({**shared, "choices": []})
        chunks[-1]["usage"] = usage
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + _DONE


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in choice.items() if name not in ("message", "finish_reason")}
    if "message" not in choice:
        return {**rest, "finish_reason": None}
    message = dict(choice["message"])
    if message.get("tool_calls"):
        message["tool_calls"] = [{"index": n, **call} for n, call in enumerate(message["tool_calls"])]
    return {**rest, "delta": message, "finish_reason": None}


def _ending(choice: dict[str, Any], chat: bool) -> dict[str, Any]:
    return {"index": choice.get("index", 0), **({"delta": {}} if chat else {"text": ""})}
