"""Reading a request's body, each kind by its own reader."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.wsgi import Request

LARGEST_BODY_BYTES = 100 * 1024 * 1024
"""Of a request outside Lambda, which has a limit of its own (6 MB)."""

_LARGEST_DECODED_BYTES = 64 * 1024 * 1024
"""Of an encoded body, once it is decoded: a small one may unfold into gigabytes."""

_LARGEST_FIELD_BYTES = 1024 * 1024
"""Of a form's field that is no file."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

BodyKind = Literal["none", "json", "multipart", "bytes"]


class Body(NamedTuple):
    """A request's body."""

    raw: bytes = b""
    """As it came."""
    content_type: str = ""
    fields: Mapping[str, Any] = MappingProxyType({})
    """A JSON object's fields, or a form's that are no files."""


def read_body(kind: BodyKind, request: Request) -> Body:
    """A request's body.

    Raises:
        ApiError: 413, 415 or 400: it is too large, of another type, or broken.
    """
    return _READERS[kind](request)


def _read_none(request: Request) -> Body:
    return Body()


def _read_bytes(request: Request) -> Body:
    length = int(request.environ.get("CONTENT_LENGTH") or 0)
    if length > LARGEST_BODY_BYTES:
        raise too_large(LARGEST_BODY_BYTES)
    raw = request.environ["wsgi.input"].read(length)
    codings = [coding.strip().lower() for coding in request.header("content-encoding").split(",")]
    if wanted := [coding for coding in codings if coding not in ("", "identity")]:
        raw = _decode(raw, wanted)
    return Body(raw, str(request.environ.get("CONTENT_TYPE", "")))


def too_large(limit: int) -> ApiError:
    """A body has more bytes than what is taken."""
    return ApiError(
        413,
        f"The body is larger than the {limit // 1024 // 1024} MiB that this gateway takes. Send less.",
        code="request_too_large",
    )


def _decode(raw: bytes, codings: list[str]) -> bytes:
    """A body without its Content-Encoding."""
    from pennyworth.gateway.http.decoding import Decoder
    from pennyworth.gateway.http.errors import Malformed

    try:
        decoder = Decoder(codings)
    except Malformed:
        raise ApiError(
            415,
            f"The body's Content-Encoding is '{', '.join(codings)[:40]}'. Send gzip, deflate or a plain body.",
            code="unsupported_content_encoding",
            headers=[("Accept-Encoding", "gzip, deflate")],
        ) from None
    decoder.feed(raw)
    decoded = bytearray()
    try:
        while data := decoder.decode_some():
            decoded += data
            if len(decoded) > _LARGEST_DECODED_BYTES:
                raise too_large(_LARGEST_DECODED_BYTES)
    except Malformed:
        decoder.complete = False
    if not decoder.complete:
        raise ApiError(
            400, f"The body is not valid {codings[0]} (its Content-Encoding).", code="invalid_encoding"
        )
    return bytes(decoded)


def _read_json(request: Request) -> Body:
    kind = _media_type(request)
    # pages in a browser send text/plain to do without a preflight
    if kind not in ("", "application/json", "text/plain") and not kind.endswith("+json"):
        raise ApiError(
            415,
            f"The body's content type is '{kind}'. Send JSON with 'Content-Type: application/json'.",
            code="unsupported_content_type",
        )
    body = _read_bytes(request)
    raw = body.raw.removeprefix(_BYTE_ORDER_MARK)
    try:
        fields = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The body is not valid JSON: {_describe(error)}.", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise ApiError(400, 'The body must be a JSON object, such as {"model": ...}.', code="invalid_json")
    return Body(raw, "application/json" if kind == "text/plain" else body.content_type, fields)


def _describe(error: Exception) -> str:
    """What is wrong with JSON, without any of it."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return (
        "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "it has a number that is none in JSON"
    )


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python's parser takes."""
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _read_multipart(request: Request) -> Body:
    kind = _media_type(request)
    if kind != "multipart/form-data":
        raise ApiError(
            415,
            f"The body's content type is '{kind}'. Send a form with 'Content-Type: multipart/form-data'.",
            code="unsupported_content_type",
        )
    body = _read_bytes(request)
    from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

    _, options = parse_options_header(body.content_type)
    fields: dict[str, str] = {}
    name, value = "", b""
    try:
        with PushMultipartParser(options.get("boundary", "")) as parser:
            for event in parser.parse(body.raw):
                if isinstance(event, MultipartSegment):
                    name, value = ("" if event.filename else event.name), b""
                elif event is None and name:
                    fields[name] = value.decode(errors="replace")
                elif event and name and len(value) < _LARGEST_FIELD_BYTES:
                    value += event
    except (MultipartError, ValueError):
        raise ApiError(
            400, "The body is not a valid form (multipart/form-data).", code="invalid_multipart"
        ) from None
    return Body(body.raw, body.content_type, fields)


def _media_type(request: Request) -> str:
    return str(request.environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()


_READERS: dict[BodyKind, Callable[[Request], Body]] = {
    "none": _read_none,
    "json": _read_json,
    "multipart": _read_multipart,
    "bytes": _read_bytes,
}
