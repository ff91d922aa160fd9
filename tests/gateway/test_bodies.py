"""Bodies, each kind by its own reader."""

import io
import json
from typing import Any

import pytest

from pennyworth.gateway.bodies import LARGEST_BODY_BYTES, read_body
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.wsgi import Request


def request(raw: bytes, kind: str = "", length: int | None = None) -> Request:
    environ: dict[str, Any] = {
        "wsgi.input": io.BytesIO(raw),
        "CONTENT_LENGTH": str(len(raw) if length is None else length),
        "CONTENT_TYPE": kind,
    }
    return Request(environ, "POST", "/")


def form(*parts: bytes) -> bytes:
    return (
        b"".join(b"--edge\r\nContent-Disposition: form-data; %b\r\n" % part for part in parts)
        + b"--edge--\r\n"
    )


FORM = "multipart/form-data; boundary=edge"


def test_a_form_gives_its_fields_and_stays_as_it_came() -> None:
    sound = bytes(range(256)) * 40
    raw = form(
        b'name="model"\r\n\r\nwhisper-1',
        b'name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n%b' % sound,
        'name="prompt"\r\n\r\nä✓'.encode(),
    )
    body = read_body("multipart", request(raw, FORM))
    assert body.fields == {"model": "whisper-1", "prompt": "ä✓"}
    assert (body.raw, body.content_type) == (raw, FORM)


@pytest.mark.parametrize("raw", [b"", b"nonsense", form(b'name="model"\r\n\r\nx')[:-10]])
def test_a_broken_form(raw: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        read_body("multipart", request(raw, FORM))
    assert (refused.value.status, refused.value.code) == (400, "invalid_multipart")


def test_a_form_without_boundary() -> None:
    with pytest.raises(ApiError) as refused:
        read_body("multipart", request(b"x", "multipart/form-data"))
    assert refused.value.status == 400


@pytest.mark.parametrize(("kind", "sent"), [("multipart", "application/json"), ("json", FORM)])
def test_another_type(kind: Any, sent: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_body(kind, request(b"{}", sent))
    assert (refused.value.status, refused.value.code) == (415, "unsupported_content_type")


@pytest.mark.parametrize("kind", ["json", "bytes", "multipart"])
def test_a_body_that_is_too_large_is_not_read(kind: Any) -> None:
    sent = {"json": "application/json", "bytes": "audio/wav", "multipart": FORM}[kind]
    with pytest.raises(ApiError) as refused:
        read_body(kind, request(b"", sent, LARGEST_BODY_BYTES + 1))
    assert (refused.value.status, refused.value.code) == (413, "request_too_large")


def test_json_bytes_and_nothing() -> None:
    raw = json.dumps({"model": "m"}).encode()
    assert read_body("json", request(raw)).fields == {"model": "m"}
    assert read_body("bytes", request(b"\0\1", "audio/wav")).raw == b"\0\1"
    assert read_body("none", request(b"ignored")).raw == b""
