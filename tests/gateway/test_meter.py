"""What is read of usage, however a stream is cut into chunks."""

import json

import pytest

from pennyworth.gateway.meter import StreamMeter, read_usage

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def chunk(**fields: object) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [], **fields}).encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
@pytest.mark.parametrize("ends", [b"\n\n", b"\r\n\r\n"])
def test_a_streams_usage(size: int, ends: bytes) -> None:
    content = json.dumps({"choices": [{"delta": {"content": 'say "usage": {"prompt_tokens": 99}'}}]}).encode()
    stream = b"data: %b\n\n" % content + chunk(usage=None) + chunk(usage=USAGE) + b"data: [DONE]\n\n"
    stream = stream.replace(b"\n\n", ends)
    meter = StreamMeter()
    for at in range(0, len(stream), size):
        meter.see(stream[at : at + size])
    assert meter.usage == USAGE


def test_half_an_event_tells_nothing() -> None:
    meter = StreamMeter()
    meter.see(chunk(usage=USAGE)[:-1])
    assert meter.usage is None
    meter.see(b"\n")
    assert meter.usage == USAGE


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    meter = StreamMeter()
    for _ in range(100):
        meter.see(b"x" * 100_000)
    assert len(meter._rest) <= 4 * 1024 * 1024


@pytest.mark.parametrize(
    ("document", "usage"),
    [
        ({"usage": USAGE}, USAGE),
        ({"usage": None}, None),
        ({"usage": {}}, None),
        ({}, None),
        (
            {
                "usage": {
                    **USAGE,
                    "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
                    "cost": 0.1,
                }
            },
            {**USAGE, "prompt_tokens_details.cached_tokens": 3},
        ),
        ({"choices": [{"message": {"content": '"usage": {"prompt_tokens": 5}'}}]}, None),
    ],
)
def test_a_documents_usage(document: dict[str, object], usage: dict[str, int] | None) -> None:
    assert read_usage(json.dumps(document).encode()) == usage
    assert read_usage(json.dumps(document, separators=(",", ":")).encode()) == usage


@pytest.mark.parametrize("content", [b"", b'"usage":{', b'{"usage": {"a": ', b"\xff" * 100])
def test_what_is_no_json_tells_nothing(content: bytes) -> None:
    assert read_usage(content) is None
