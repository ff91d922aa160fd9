"""What an API user is told when an upstream fails: the same words on both lanes, and never a credential."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pennyworth.gateway.errors import ApiError, UpstreamFailure
from pennyworth.gateway.lanes.limits import LARGEST_ERROR_BYTES
from pennyworth.gateway.upstreams import Upstream

_LONGEST_MESSAGE = 1000

_ARN = re.compile(r"arn:aws[\w-]*:[^\s\"'<>,;]+")
"""AWS names whom it refuses: the operator's account and role."""

_ACCOUNT = re.compile(r"\b(account(?:s|[ _-]?(?:id|number))?\W{1,4})\d{12}(?!\d)", re.IGNORECASE)
"""The account by its number alone."""

# Refusals that another deployment may not share. Without 408, 504 and 524: whoever says those may have worked on it.
_ELSEWHERE = frozenset([401, 402, 403, 409, 429, 500, 502, 503, 529])

# How an upstream's headers begin that help a client to do better next time, or its provider to find the request.
_KEPT_HEADERS = (
    "anthropic-ratelimit-",
    "apim-request-id",
    "openai-processing-ms",
    "request-id",
    "retry-after",
    "x-amzn-requestid",
    "x-ratelimit-",
    "x-request-id",
    "x-should-retry",
)


def kept_headers(upstream: Upstream, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of an upstream's headers that tell its limits, when to try again and the request's id."""
    return [
        (name, upstream.scrubbed(value))
        for name, value in headers
        if name.lower().startswith(_KEPT_HEADERS) and is_plain(value)
    ]


def is_plain(value: str) -> bool:
    """Whether whatever stands between here and the client passes a header's value on, and does not fail at it."""
    return value.isascii() and value.isprintable()


def unreachable(upstream: Upstream, reason: str, *, sent: bool) -> UpstreamFailure:
    """No connection to the upstream, or none that lasted until it answered.

    Args:
        upstream: where the request went.
        reason: why.
        sent: whether the request may have reached it.
    """
    failure = UpstreamFailure(
        502,
        upstream.scrubbed(
            f"{_subject(upstream)} can't be reached: {reason}. Try again; if it stays so, ask whoever runs this gateway"
            " to check the model's address."
        ),
        code="upstream_unreachable",
    )
    failure.sent = sent
    return failure


def timed_out(upstream: Upstream, how: str, *, sent: bool) -> UpstreamFailure:
    """The upstream was silent for too long, or had not finished its answer by the deadline.

    Args:
        upstream: where the request went.
        how: which of the two.
        sent: whether the request may have reached it; else no connection was made in time.
    """
    failure = UpstreamFailure(
        504,
        f"{_subject(upstream)} {how}. Try again, ask for a shorter answer, or stream it.",
        code="upstream_timeout",
        type="timeout_error",
    )
    failure.sent = sent
    return failure


def redirected(upstream: Upstream, status: int, target: str) -> UpstreamFailure:
    """The upstream leads elsewhere. Nobody follows it: the key and the prompt are for the host that was configured.

    Args:
        upstream: where the request went.
        status: the upstream's HTTP status.
        target: its Location header.
    """
    try:
        parts = urlsplit(target)
        # without credentials and query, which may hold a secret
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
        place = re.sub(r"[^!-~]", "", place + parts.path)
    except ValueError:
        place = ""
    return UpstreamFailure(
        502,
        f"{_subject(upstream)} answered with a redirect ({status}) to {upstream.scrubbed(place)[:200] or 'nowhere'},"
        " which is not followed. Ask whoever runs this gateway to set the model's api_base to the provider's final"
        " address.",
        code="upstream_redirected",
    )


def unusable(upstream: Upstream, reason: str) -> UpstreamFailure:
    """What the upstream answered can't be an answer of its API."""
    return UpstreamFailure(
        502,
        f"{_subject(upstream)} sent something that is no answer of its API: {reason}. Try again; if it stays so, ask"
        " whoever runs this gateway to check the model's address.",
        code="upstream_broken",
    )


def broken(upstream: Upstream) -> UpstreamFailure:
    """The upstream's answer ended before its end."""
    return UpstreamFailure(
        502, f"{_subject(upstream)} broke off in the middle of its answer. Try again.", code="upstream_broken"
    )


def unsendable(upstream: Upstream, reason: str) -> ApiError:
    """The request can't be put into HTTP, because of the configuration."""
    return ApiError(
        500,
        f"The model '{upstream.deployment.name}' is not configured properly here: {reason}. Ask whoever runs this"
        " gateway to correct it.",
        code="gateway_misconfigured",
    )


def upstream_error(
    upstream: Upstream, status: int, headers: Iterable[tuple[str, str]], body: bytes
) -> UpstreamFailure:
    """An upstream's refusal, with its own status and message.

    Args:
        upstream: where the request went.
        status: the upstream's HTTP status.
        headers: its response headers.
        body: its response body, or the beginning of it.
    """
    message, code, param, type_ = _read(body)
    if status in (401, 403):
        # else the client would look for the fault in its own key
        provider = upstream.deployment.provider
        message = f"The upstream provider '{provider}' refused the gateway's credentials: {message}"

    def cleaned(text: str | None) -> str | None:
        # in this order: half a secret is one, too
        whole = _ARN.sub("arn:***", upstream.scrubbed(text or ""))
        short = _ACCOUNT.sub(r"\1***", whole)[:_LONGEST_MESSAGE]
        return "".join(c for c in short if c.isprintable() or c == "\n") or None

    failure = UpstreamFailure(
        status,
        cleaned(message)
        or f"The upstream provider '{upstream.deployment.provider}' answered with status {status}.",
        code=cleaned(code),
        param=cleaned(param),
        type=cleaned(type_),
        headers=kept_headers(upstream, headers),
    )
    told = (value.strip().lower() for name, value in failure.headers if name.lower() == "x-should-retry")
    advice = next(told, "")
    failure.refused = advice == "true" or (status in _ELSEWHERE and advice != "false")
    return failure


_ANSWER_FIELDS = frozenset(["choices", "data", "candidates", "content", "message", "output", "embeddings"])
"""What answers of the providers' APIs hold, and their errors don't."""

_ERROR_ONLY = frozenset(
    [
        "code",
        "detail",
        "error_code",
        "message",
        "object",
        "request_id",
        "status",
        "status_code",
        "title",
        "type",
    ]
)
"""What a document holds that is an error without a field of that name."""

_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 503,
    "timeout_error": 504,
}


def find_error(document: Any) -> int | None:
    """The status of an error that came as if it were an answer (200); None where the document may be an answer."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return 502
    if any(document.get(name) and isinstance(document[name], dict | list) for name in _ANSWER_FIELDS):
        return None
    error = document.get("error")
    if not error:
        names = {name.lower() for name in document}
        if names <= _ERROR_ONLY and names & {"message", "detail"}:
            return _status(document)
        # AWS's front doors say so of what they do not know
        told = document.get("Output", document)
        return 502 if isinstance(told, dict) and "__type" in told else None
    return _status(error) if isinstance(error, dict) else 502


def told_error(upstream: Upstream, body: bytes) -> UpstreamFailure | None:
    """The error that a body is which is called a stream of events; None where it is something else."""
    try:
        status = find_error(json.loads(body))
    except (ValueError, RecursionError):
        return None
    return upstream_error(upstream, status, (), body[:LARGEST_ERROR_BYTES]) if status else None


def _status(error: Mapping[str, Any]) -> int:
    """The status that an error says it has."""
    for name in ("status", "code", "status_code"):
        try:
            status = int(str(error.get(name)))
        except ValueError:
            continue
        if 400 <= status < 600:
            return status
    return _STATUSES.get(str(error.get("type")), 502)


def _subject(upstream: Upstream) -> str:
    return f"The upstream provider '{upstream.deployment.provider}' of the model '{upstream.deployment.name}'"


def _read(body: bytes) -> tuple[str, str | None, str | None, str | None]:
    """Message, code, param and type out of the shapes that upstreams give their errors."""
    text = body.decode(errors="replace").strip()
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text, None, None, None
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error", document) if isinstance(document, dict) else document
    if not isinstance(error, dict):
        return str(error), None, None, None

    def text_of(name: str) -> str | None:
        value = error.get(name)
        return None if value is None else str(value)

    return text_of("message") or text_of("detail") or text, text_of("code"), text_of("param"), text_of("type")
