"""The wire formats of the providers that LiteLLM translates for, as their own API references describe them.

Each knows how an answer looks whole, as a stream's events, and as an error.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Answer:
    """What a provider is told to answer, and how badly."""

    text: tuple[str, ...] = ("The capital", " of France", " is Paris. ✓")
    """The text in the pieces that a stream brings."""
    tool: tuple[str, dict[str, Any]] | None = None
    """A function to call, with its arguments, in place of the text."""
    usage: tuple[int, int] | None = (11, 7)
    """Tokens in and out; None: the provider does not tell."""
    status: int = 200
    message: str = ""
    """What an error (status >= 400) says."""
    redirect: str = ""
    """Where it leads instead of answering."""
    raw: bytes | None = None
    """A body that is sent as it is, with the status."""
    raw_headers: tuple[tuple[str, str], ...] = ()
    """Headers of a good answer, or beside `raw`."""
    pause: float = 0.0
    """Seconds between a stream's events."""
    holds_after: int | None = None
    """Events after which a stream waits until `Fake.go_on` is set."""
    breaks_after: int | None = None
    """Events after which the connection is cut in the middle of the next."""
    fails_after: int | None = None
    """Events after which a stream ends with an error in the provider's own way, saying `message`."""
    silent_after: int | None = None
    """Events after which nothing comes any more; 0: not even headers."""


class Wire(Protocol):
    """A provider's wire format."""

    stream_type: str
    """The content type of its streams."""

    def streamed(self, path: str, request: dict[str, Any]) -> bool:
        """Whether a request asks for a stream."""

    def whole(self, answer: Answer) -> bytes:
        """The body of a plain answer."""

    def events(self, answer: Answer) -> Iterator[bytes]:
        """A stream's events, one at a time."""

    def error(self, answer: Answer) -> tuple[dict[str, str], bytes]:
        """Headers and body of an error."""

    def failure(self, answer: Answer) -> bytes:
        """The event with which a stream says that it has failed."""


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


class Anthropic:
    """https://docs.claude.com/en/api/messages and .../build-with-claude/streaming"""

    stream_type = "text/event-stream; charset=utf-8"

    def streamed(self, path: str, request: dict[str, Any]) -> bool:
        return request.get("stream") is True

    def whole(self, answer: Answer) -> bytes:
        block: dict[str, Any] = {"type": "text", "text": "".join(answer.text)}
        if answer.tool:
            name, arguments = answer.tool
            block = {"type": "tool_use", "id": "toolu_01A", "name": name, "input": arguments}
        return _json({**self._message(answer), "content": [block], "stop_reason": self._reason(answer)})

    def events(self, answer: Answer) -> Iterator[bytes]:
        message = {**self._message(answer), "stop_reason": None}
        if answer.usage:
            message["usage"] = {"input_tokens": answer.usage[0], "output_tokens": 1}
        yield self._event("message_start", message=message)
        yield from self._tool(answer) if answer.tool else self._text(answer)
        yield self._event("content_block_stop", index=0)
        usage = {"usage": {"output_tokens": answer.usage[1]}} if answer.usage else {}
        yield self._event(
            "message_delta", delta={"stop_reason": self._reason(answer), "stop_sequence": None}, **usage
        )
        yield self._event("message_stop")

    def error(self, answer: Answer) -> tuple[dict[str, str], bytes]:
        kinds = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
        error = {"type": kinds.get(answer.status, "invalid_request_error"), "message": answer.message}
        return {"request-id": "req_1"}, _json({"type": "error", "error": error, "request_id": "req_1"})

    def failure(self, answer: Answer) -> bytes:
        return self._event("error", error={"type": "overloaded_error", "message": answer.message})

    def _text(self, answer: Answer) -> Iterator[bytes]:
        yield self._event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        yield self._event("ping")
        for piece in answer.text:
            yield self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})

    def _tool(self, answer: Answer) -> Iterator[bytes]:
        assert answer.tool
        name, arguments = answer.tool
        block = {"type": "tool_use", "id": "toolu_01A", "name": name, "input": {}}
        yield self._event("content_block_start", index=0, content_block=block)
        for part in _halves(json.dumps(arguments)):
            yield self._event(
                "content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": part}
            )

    def _message(self, answer: Answer) -> dict[str, Any]:
        message = {
            "id": "msg_01A",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": [],
        }
        message["stop_sequence"] = None
        if answer.usage:
            message["usage"] = {"input_tokens": answer.usage[0], "output_tokens": answer.usage[1]}
        return message

    def _reason(self, answer: Answer) -> str:
        return "tool_use" if answer.tool else "end_turn"

    def _event(self, kind: str, **fields: Any) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), _json({"type": kind, **fields}))


class Gemini:
    """https://ai.google.dev/api/generate-content"""

    stream_type = "text/event-stream"

    def streamed(self, path: str, request: dict[str, Any]) -> bool:
        return ":streamGenerateContent" in path and "alt=sse" in path

    def whole(self, answer: Answer) -> bytes:
        return _json(self._response(answer, self._parts(answer), last=True))

    def events(self, answer: Answer) -> Iterator[bytes]:
        pieces = [self._parts(answer)] if answer.tool else [[{"text": piece}] for piece in answer.text]
        for index, parts in enumerate(pieces):
            yield b"data: %b\r\n\r\n" % _json(self._response(answer, parts, last=index == len(pieces) - 1))

    def error(self, answer: Answer) -> tuple[dict[str, str], bytes]:
        kinds = {
            400: "INVALID_ARGUMENT",
            401: "UNAUTHENTICATED",
            429: "RESOURCE_EXHAUSTED",
            503: "UNAVAILABLE",
        }
        status = kinds.get(answer.status, "INTERNAL")
        return {}, _json({"error": {"code": answer.status, "message": answer.message, "status": status}})

    def failure(self, answer: Answer) -> bytes:
        error = {"code": 503, "message": answer.message, "status": "UNAVAILABLE"}
        return b"data: %b\r\n\r\n" % _json({"error": error})

    def _parts(self, answer: Answer) -> list[dict[str, Any]]:
        if answer.tool:
            return [{"functionCall": {"name": answer.tool[0], "args": answer.tool[1]}}]
        return [{"text": "".join(answer.text)}]

    def _response(self, answer: Answer, parts: list[dict[str, Any]], last: bool) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if last:
            candidate["finishReason"] = "STOP"
        response = {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r1"}
        if answer.usage:
            sent, made = answer.usage
            usage = {"promptTokenCount": sent, "candidatesTokenCount": made, "totalTokenCount": sent + made}
            response["usageMetadata"] = usage
        return response


class BedrockConverse:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html"""

    stream_type = "application/vnd.amazon.eventstream"

    def streamed(self, path: str, request: dict[str, Any]) -> bool:
        return path.endswith("/converse-stream")

    def whole(self, answer: Answer) -> bytes:
        content: dict[str, Any] = {"text": "".join(answer.text)}
        if answer.tool:
            content = {"toolUse": {"toolUseId": "tooluse_1", "name": answer.tool[0], "input": answer.tool[1]}}
        message = {"role": "assistant", "content": [content]}
        return _json(
            {"output": {"message": message}, "stopReason": self._reason(answer), **self._metadata(answer)}
        )

    def events(self, answer: Answer) -> Iterator[bytes]:
        yield event_stream_message("messageStart", {"role": "assistant"})
        if answer.tool:
            name, arguments = answer.tool
            start = {"toolUse": {"toolUseId": "tooluse_1", "name": name}}
            yield event_stream_message("contentBlockStart", {"contentBlockIndex": 0, "start": start})
            deltas = [{"toolUse": {"input": part}} for part in _halves(json.dumps(arguments))]
        else:
            deltas = [{"text": piece} for piece in answer.text]
        for delta in deltas:
            yield event_stream_message("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta})
        yield event_stream_message("contentBlockStop", {"contentBlockIndex": 0})
        yield event_stream_message("messageStop", {"stopReason": self._reason(answer)})
        yield event_stream_message("metadata", self._metadata(answer))

    def error(self, answer: Answer) -> tuple[dict[str, str], bytes]:
        kinds = {403: "UnrecognizedClientException", 429: "ThrottlingException", 400: "ValidationException"}
        return {"x-amzn-ErrorType": kinds.get(answer.status, "InternalServerException")}, _json(
            {"message": answer.message}
        )

    def failure(self, answer: Answer) -> bytes:
        return event_stream_message("modelStreamErrorException", {"message": answer.message}, "exception")

    def _reason(self, answer: Answer) -> str:
        return "tool_use" if answer.tool else "end_turn"

    def _metadata(self, answer: Answer) -> dict[str, Any]:
        metadata: dict[str, Any] = {"metrics": {"latencyMs": 12}}
        if answer.usage:
            sent, made = answer.usage
            metadata["usage"] = {"inputTokens": sent, "outputTokens": made, "totalTokens": sent + made}
        return metadata


def event_stream_message(kind: str, payload: dict[str, Any], message_type: str = "event") -> bytes:
    """A message of AWS's binary event streams: lengths, their checksum, headers, payload, checksum of it all.

    https://smithy.io/2.0/aws/amazon-eventstream.html
    """
    name = ":exception-type" if message_type == "exception" else ":event-type"
    headers = b"".join(
        struct.pack(f">B{len(key)}sBH{len(value)}s", len(key), key.encode(), 7, len(value), value.encode())
        for key, value in (
            (name, kind),
            (":content-type", "application/json"),
            (":message-type", message_type),
        )
    )
    body = _json(payload)
    prelude = struct.pack(">II", 12 + len(headers) + len(body) + 4, len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


class Cohere:
    """https://docs.cohere.com/reference/chat and .../chat-stream (v2)

    Asked with `Accept: application/json`, as LiteLLM asks, its streams are lines of JSON and not server-sent events.
    """

    stream_type = "application/stream+json"

    def streamed(self, path: str, request: dict[str, Any]) -> bool:
        return request.get("stream") is True

    def whole(self, answer: Answer) -> bytes:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": [{"type": "text", "text": "".join(answer.text)}],
        }
        if answer.tool:
            function = {"name": answer.tool[0], "arguments": json.dumps(answer.tool[1])}
            calls = [{"id": "call_1", "type": "function", "function": function}]
            message = {"role": "assistant", "tool_plan": "I will look.", "tool_calls": calls}
        return _json(
            {"id": "c1", "finish_reason": self._reason(answer), "message": message, **self._usage(answer)}
        )

    def events(self, answer: Answer) -> Iterator[bytes]:
        start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        yield self._event("message-start", {"message": start}, id="c1")
        yield from self._tool(answer) if answer.tool else self._text(answer)
        yield self._event(
            "message-end", {"finish_reason": self._reason(answer), **self._usage(answer)}, id="c1"
        )

    def error(self, answer: Answer) -> tuple[dict[str, str], bytes]:
        return {}, _json({"id": "e1", "message": answer.message})

    def failure(self, answer: Answer) -> bytes:
        return self._event("message-end", {"finish_reason": "ERROR", "error": answer.message}, id="c1")

    def _text(self, answer: Answer) -> Iterator[bytes]:
        yield self._event("content-start", {"message": {"content": {"type": "text", "text": ""}}}, index=0)
        for piece in answer.text:
            yield self._event("content-delta", {"message": {"content": {"text": piece}}}, index=0)
        yield self._event("content-end", None, index=0)

    def _tool(self, answer: Answer) -> Iterator[bytes]:
        assert answer.tool
        name, arguments = answer.tool
        yield self._event("tool-plan-delta", {"message": {"tool_plan": "I will look."}})
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
        yield self._event("tool-call-start", {"message": {"tool_calls": call}}, index=0)
        for part in _halves(json.dumps(arguments)):
            delta = {"message": {"tool_calls": {"function": {"arguments": part}}}}
            yield self._event("tool-call-delta", delta, index=0)
        yield self._event("tool-call-end", None, index=0)

    def _reason(self, answer: Answer) -> str:
        return "TOOL_CALL" if answer.tool else "COMPLETE"

    def _usage(self, answer: Answer) -> dict[str, Any]:
        if not answer.usage:
            return {}
        tokens = {"input_tokens": answer.usage[0], "output_tokens": answer.usage[1]}
        return {"usage": {"billed_units": tokens, "tokens": tokens}}

    def _event(self, kind: str, delta: Any, **fields: Any) -> bytes:
        document = {"type": kind, **fields, **({"delta": delta} if delta is not None else {})}
        return _json(document) + b"\n"


class OpenAI:
    """https://platform.openai.com/docs/api-reference/chat, which Azure's dated API versions share"""

    stream_type = "text/event-stream; charset=utf-8"

    def streamed(self, path: str, request: dict[str, Any]) -> bool:
        return request.get("stream") is True

    def whole(self, answer: Answer) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(answer.text), "refusal": None}
        if answer.tool:
            function = {"name": answer.tool[0], "arguments": json.dumps(answer.tool[1])}
            calls = [{"id": "call_1", "type": "function", "function": function}]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
        choice = {"index": 0, "message": message, "finish_reason": self._reason(answer), "logprobs": None}
        return _json({**self._head("chat.completion"), "choices": [choice], **self._usage(answer)})

    def events(self, answer: Answer) -> Iterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})
        if answer.tool:
            name, arguments = answer.tool
            call = {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {"name": name, "arguments": ""},
            }
            yield self._chunk({"tool_calls": [call]})
            for part in _halves(json.dumps(arguments)):
                yield self._chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
        else:
            for piece in answer.text:
                yield self._chunk({"content": piece})
        yield self._chunk({}, self._reason(answer))
        if answer.usage:
            yield self._data({**self._head("chat.completion.chunk"), "choices": [], **self._usage(answer)})
        yield b"data: [DONE]\n\n"

    def error(self, answer: Answer) -> tuple[dict[str, str], bytes]:
        error = {"code": str(answer.status), "message": answer.message, "param": None, "type": None}
        return {"retry-after": "3"}, _json({"error": error})

    def failure(self, answer: Answer) -> bytes:
        return self._data({"error": {"code": "server_error", "message": answer.message}})

    def _reason(self, answer: Answer) -> str:
        return "tool_calls" if answer.tool else "stop"

    def _usage(self, answer: Answer) -> dict[str, Any]:
        if not answer.usage:
            return {}
        sent, made = answer.usage
        return {"usage": {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1760000000, "model": "gpt-5-mini"}

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return self._data({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _data(self, document: dict[str, Any]) -> bytes:
        return b"data: %b\n\n" % _json(document)
