"""What can go wrong between a request and its answer. No message holds a header's value or anything of a body."""


class HttpError(Exception):
    """The exchange failed."""


class Unreachable(HttpError):
    """No connection could be made, or it broke before an answer began."""

    sent = False
    """Whether the request had been sent whole, so that the server may have worked on it."""


class Malformed(HttpError):
    """The answer is not HTTP as RFC 9112 has it."""


class Truncated(HttpError):
    """The answer ended before its end."""


class TooLarge(HttpError):
    """The answer is larger than what was asked for."""


class Unsendable(HttpError):
    """The request itself can't be sent: its address or a header is not what HTTP allows."""
