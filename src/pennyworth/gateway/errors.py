"""Errors in the shape that OpenAI's API gives them: https://platform.openai.com/docs/guides/error-codes."""

import json
from collections.abc import Iterable

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


class ApiError(Exception):
    """What an API user is told. The message says what to do next and holds no secret."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        type: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """
        Args:
            status: the HTTP status.
            message: what went wrong and what to do next.
            code: OpenAI's machine-readable code, such as `model_not_found`.
            param: the request's field at fault.
            type: OpenAI's class of errors; follows from the status by default.
            headers: further response headers, such as Retry-After.
        """
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.type = type or _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        self.headers = list(headers)

    def body(self) -> bytes:
        """The JSON document of a plain response."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return json.dumps({"error": error}, ensure_ascii=False).encode()

    def event(self) -> bytes:
        """The same as a server-sent event, for a stream whose status has gone out already.

        The leading blank line ends whatever half of an event was sent before.
        """
        return b"\n\ndata: " + self.body() + b"\n\n"
