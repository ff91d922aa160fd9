"""What an API user is told when something fails. How it is written is the dialect's to say."""

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


class UpstreamFailure(ApiError):
    """An upstream did not give an answer. Whether another attempt makes sense, the router decides."""

    sent = True
    """Whether the request may have reached the upstream, which may then have worked on it."""
    refused = False
    """Whether the upstream itself said that it does not do it now, so that nothing is paid if another one does."""


class ClientDisconnected(Exception):
    """The client hung up: nobody is left to answer."""
