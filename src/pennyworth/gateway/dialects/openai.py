"""OpenAI's API: https://platform.openai.com/docs/guides/error-codes."""

import json

from pennyworth.gateway.errors import ApiError


def error_body(error: ApiError) -> bytes:
    """See `Dialect.error_body`."""
    document = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return json.dumps({"error": document}, ensure_ascii=False).encode("utf-8", "replace")


def error_event(error: ApiError) -> bytes:
    """See `Dialect.error_event`."""
    return b"data: " + error_body(error) + b"\n\n"


def ends(tail: bytes) -> bool:
    """See `Dialect.ends`."""
    return b"[DONE]" in tail[-32:]
