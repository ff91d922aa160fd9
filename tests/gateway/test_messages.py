"""The shapes of requests: what well-known clients send passes; what LiteLLM would choke on is refused in our words."""

import json
import time
from typing import Any

import pytest

from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.lanes.fields import check_fields
from pennyworth.gateway.lanes.messages import check_messages

SECRET = "what the user wrote"
HELLO = {"role": "user", "content": "Hello"}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjQK"


def user(*parts: Any) -> list[Any]:
    return [{"role": "user", "content": list(parts)}]


def called(arguments: Any = '{"city": "Paris"}', **changes: Any) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [{**call, **changes}]}


def returned(content: Any = "18 degrees", **changes: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "call_1", "content": content, **changes}


def image(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


VALID: dict[str, list[Any]] = {
    "a question": [HELLO],
    "every plain role": [
        {"role": "developer", "content": "Be short."},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "Hello", "name": "ann"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "assistant", "content": ""},
    ],
    "OpenAI's SDK, an answer sent back": [
        HELLO,
        {**called(), "refusal": None, "annotations": [], "audio": None, "function_call": None},
        returned(),
    ],
    "OpenAI's SDK, parts": user(
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        image(PIXEL),
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
        {"type": "file", "file": {"file_id": "file-abc123"}},
    ),
    "a refusal": [
        HELLO,
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "I can't."}]},
        HELLO,
    ],
    "a refusal without content": [HELLO, {"role": "assistant", "refusal": "I can't."}, HELLO],
    "spoken before": [HELLO, {"role": "assistant", "audio": {"id": "audio_1"}}, HELLO],
    "LangChain, content beside calls": [
        HELLO,
        {**called(), "content": ""},
        {**returned(), "name": "weather"},
    ],
    "LangChain, no content at all": [
        HELLO,
        {name: value for name, value in called().items() if name != "content"},
        returned(),
    ],
    "LangChain, an empty list of parts beside calls": [HELLO, {**called(), "content": []}, returned()],
    "Vercel's AI SDK": [
        {"role": "system", "content": "You are a helpful assistant."},
        *user({"type": "text", "text": "Hello"}, image(PIXEL)),
        {**called("{}"), "content": "", "reasoning_content": "The user wants the weather."},
        returned('{"degrees":18}'),
    ],
    "opencode, Anthropic's caching": [
        {
            "role": "system",
            "content": [
                {"type": "text", "text": "You are opencode.", "cache_control": {"type": "ephemeral"}}
            ],
        },
        {**HELLO, "cache_control": {"type": "ephemeral"}},
        {**called(cache_control={"type": "ephemeral"}), "content": None},
        {**returned([{"type": "text", "text": "18"}]), "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ],
    "aider": [
        {"role": "system", "content": "Act as an expert software developer."},
        {"role": "user", "content": "Here are summaries of some files."},
        {"role": "assistant", "content": "Ok, I won't try and edit those files."},
        *user({"type": "text", "text": "a.png"}, {"type": "image_url", "image_url": PIXEL}),
    ],
    "instructor, a failed attempt": [
        HELLO,
        {**called(), "content": None},
        {**returned("Validation Error found"), "name": "weather"},
        HELLO,
    ],
    "Cursor, several calls at once": [
        HELLO,
        {
            "role": "assistant",
            "content": "I will look.",
            "tool_calls": [
                {
                    "index": 0,
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "read", "arguments": '{"path": "a"}'},
                },
                {
                    "index": 1,
                    "id": "toolu_2",
                    "type": "function",
                    "function": {"name": "read", "arguments": '{"path": "b"}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_2", "content": "second"},
        {"role": "tool", "tool_call_id": "toolu_1", "content": [{"type": "text", "text": "first"}]},
    ],
    "a call without arguments": [HELLO, called(""), returned("")],
    "a call with blank arguments": [HELLO, called(" \n"), returned("")],
    "a call with null for arguments": [HELLO, called(None), returned("")],
    "no calls": [HELLO, {"role": "assistant", "content": "Hi", "tool_calls": []}],
    "null for calls": [HELLO, {"role": "assistant", "content": "Hi", "tool_calls": None}],
    "the same id again": [HELLO, called(), returned(), called(), returned()],
    "functions, as they were called before tools": [
        HELLO,
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "weather", "arguments": '{"city": "Paris"}'},
        },
        {"role": "function", "name": "weather", "content": "18"},
        {"role": "function", "name": "weather", "content": ""},
    ],
    "Claude's thoughts": [
        HELLO,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "abc"},
                {"type": "redacted_thinking", "data": "abc"},
                {"type": "text", "text": "Hi"},
            ],
        },
        {
            **called(),
            "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "abc"}],
            "reasoning_content": "Hm.",
            "provider_specific_fields": {"citations": None},
        },
        returned(),
    ],
    "Claude's own tools": [
        HELLO,
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                {"type": "text", "text": "Found."},
            ],
        },
    ],
    "Claude's documents": user(
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "The grass is green."},
            "title": "Grass",
            "citations": {"enabled": True},
        },
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
    ),
    "Gemini's files": user(
        image("gs://bucket/a.png"),
        {"type": "file", "file": {"file_id": "gs://bucket/a.mp4", "format": "video/mp4"}},
        {
            "type": "file",
            "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/abc"},
        },
    ),
    "images that Gemini made": [
        HELLO,
        {"role": "assistant", "content": "", "images": [{"type": "image_url", "image_url": {"url": PIXEL}}]},
    ],
    "Bedrock's": user(
        {"type": "video_url", "video_url": {"url": "s3://bucket/a.mp4"}},
        {"type": "guarded_text", "text": "Hello"},
        {"type": "grounding_source", "text": "Hello"},
        {"type": "query", "text": "Hello"},
    ),
    "vLLM's": user(
        {"type": "audio_url", "audio_url": {"url": "https://example.com/a.wav"}},
        {"type": "video_url", "video_url": "https://example.com/a.mp4"},
    ),
    "what tools show": [
        HELLO,
        called(),
        returned(
            [
                image(PIXEL),
                {"type": "input_image", "image_url": PIXEL},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
                },
                {"type": "tool_reference", "tool_name": "weather"},
                {"type": "input_file", "file_data": PDF},
            ]
        ),
    ],
    "a media type with a parameter": user(image("data:text/plain;charset=utf-8;base64,SGVsbG8=")),
}

CUT = '{"city": "' + SECRET
RAW = "iVBORw0KGgo" + "A" * 100

INVALID: dict[str, tuple[Any, str, str]] = {
    "no messages": (None, "messages", "missing_required_parameter"),
    "a string": (SECRET, "messages", "invalid_type"),
    "an object": (HELLO, "messages", "invalid_type"),
    "an empty list": ([], "messages", "invalid_value"),
    "a string among them": ([HELLO, SECRET], "messages[1]", "invalid_type"),
    "null among them": ([None], "messages[0]", "invalid_type"),
    "no role": ([{"content": SECRET}], "messages[0].role", "missing_required_parameter"),
    "an unknown role": ([{"role": SECRET, "content": ""}], "messages[0].role", "invalid_value"),
    "a role that is a list": ([{"role": ["user"], "content": ""}], "messages[0].role", "invalid_type"),
    "no content": ([{"role": "user"}], "messages[0].content", "missing_required_parameter"),
    "null for a user's content": (
        [{"role": "user", "content": None}],
        "messages[0].content",
        "invalid_type",
    ),
    "null for a system's content": (
        [{"role": "system", "content": None}, HELLO],
        "messages[0].content",
        "invalid_type",
    ),
    "content that is a number": ([{"role": "user", "content": 5}], "messages[0].content", "invalid_type"),
    "content that is an object": (
        [{"role": "user", "content": {"type": "text", "text": SECRET}}],
        "messages[0].content",
        "invalid_type",
    ),
    "no parts": (user(), "messages[0].content", "invalid_value"),
    "a part that is a string": (user(SECRET), "messages[0].content[0]", "invalid_type"),
    "a part without a type": (
        user({"text": SECRET}),
        "messages[0].content[0].type",
        "missing_required_parameter",
    ),
    "an unknown part": (user({"type": "holo"}), "messages[0].content[0].type", "invalid_value"),
    "a part's type that is an object": (user({"type": {}}), "messages[0].content[0].type", "invalid_type"),
    "Anthropic's image from a user": (
        user({"type": "image", "source": {"type": "base64", "data": SECRET}}),
        "messages[0].content[0].type",
        "invalid_value",
    ),
    "Anthropic's call from an assistant": (
        [HELLO, {"role": "assistant", "content": [{"type": "tool_use", "id": "x", "input": {}}]}],
        "messages[1].content[0].type",
        "invalid_value",
    ),
    "Anthropic's result from a user": (
        user({"type": "tool_result", "tool_use_id": "x", "content": SECRET}),
        "messages[0].content[0].type",
        "invalid_value",
    ),
    "a text part without text": (
        user({"type": "text"}),
        "messages[0].content[0].text",
        "missing_required_parameter",
    ),
    "a text part with null": (
        user({"type": "text", "text": None}),
        "messages[0].content[0].text",
        "invalid_type",
    ),
    "an image without its field": (
        user({"type": "image_url"}),
        "messages[0].content[0].image_url",
        "missing_required_parameter",
    ),
    "an image without a URL": (
        user({"type": "image_url", "image_url": {}}),
        "messages[0].content[0].image_url.url",
        "missing_required_parameter",
    ),
    "an image's URL that is null": (
        user(image(None)),
        "messages[0].content[0].image_url.url",
        "invalid_type",
    ),
    "raw base64": (user(image(RAW)), "messages[0].content[0].image_url.url", "invalid_value"),
    "raw base64 instead of an object": (
        user({"type": "image_url", "image_url": RAW}),
        "messages[0].content[0].image_url",
        "invalid_value",
    ),
    "a path": (user(image("/etc/passwd")), "messages[0].content[0].image_url.url", "invalid_value"),
    "a file's URL": (
        user(image("file:///etc/passwd")),
        "messages[0].content[0].image_url.url",
        "invalid_value",
    ),
    "a data URL without base64": (
        user(image("data:image/png," + SECRET)),
        "messages[0].content[0].image_url.url",
        "invalid_value",
    ),
    "a data URL without a media type": (
        user(image("data:;base64,iVBORw0KGgo=")),
        "messages[0].content[0].image_url.url",
        "invalid_value",
    ),
    "a data URL with what is no base64": (
        user(image("data:image/png;base64,AAAA,gs://bucket")),
        "messages[0].content[0].image_url.url",
        "invalid_value",
    ),
    "a media type without end": (
        user(image("data:image/png;x=" + "a" * 10000 + ";base64,AAAA")),
        "messages[0].content[0].image_url.url",
        "invalid_value",
    ),
    "an image's endless format": (
        user({"type": "image_url", "image_url": {"url": PIXEL, "format": "a" * 10000}}),
        "messages[0].content[0].image_url.format",
        "invalid_value",
    ),
    "an endless URL": (
        user(image("https://example.com/" + "a" * 10000)),
        "messages[0].content[0].image_url.url",
        "invalid_value",
    ),
    "audio without data": (
        user({"type": "input_audio", "input_audio": {"format": "wav"}}),
        "messages[0].content[0].input_audio.data",
        "missing_required_parameter",
    ),
    "audio without a format": (
        user({"type": "input_audio", "input_audio": {"data": "UklGRg=="}}),
        "messages[0].content[0].input_audio.format",
        "missing_required_parameter",
    ),
    "audio that is a string": (
        user({"type": "input_audio", "input_audio": SECRET}),
        "messages[0].content[0].input_audio",
        "invalid_type",
    ),
    "a file without anything": (
        user({"type": "file", "file": {"filename": "a.pdf"}}),
        "messages[0].content[0].file.file_data",
        "missing_required_parameter",
    ),
    "a file of raw base64": (
        user({"type": "file", "file": {"file_data": RAW}}),
        "messages[0].content[0].file.file_data",
        "invalid_value",
    ),
    "a file's endless id": (
        user({"type": "file", "file": {"file_id": "a" * 10000}}),
        "messages[0].content[0].file.file_id",
        "invalid_value",
    ),
    "a document without a source": (
        user({"type": "document", "title": SECRET}),
        "messages[0].content[0].source",
        "missing_required_parameter",
    ),
    "an assistant who says nothing": (
        [HELLO, {"role": "assistant"}],
        "messages[1].content",
        "missing_required_parameter",
    ),
    "an assistant who says null": (
        [HELLO, {"role": "assistant", "content": None, "tool_calls": []}],
        "messages[1].content",
        "missing_required_parameter",
    ),
    "calls that are an object": (
        [HELLO, {"role": "assistant", "content": "", "tool_calls": {}}],
        "messages[1].tool_calls",
        "invalid_type",
    ),
    "a call that is a string": (
        [HELLO, {"role": "assistant", "content": "", "tool_calls": [SECRET]}],
        "messages[1].tool_calls[0]",
        "invalid_type",
    ),
    "a call without an id": (
        [HELLO, {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f"}}]}],
        "messages[1].tool_calls[0].id",
        "missing_required_parameter",
    ),
    "more calls than anybody makes": (
        [HELLO, {"role": "assistant", "tool_calls": called()["tool_calls"] * 129}],
        "messages[1].tool_calls",
        "invalid_value",
    ),
    "a call with an empty id": ([HELLO, called(id="")], "messages[1].tool_calls[0].id", "invalid_value"),
    "a call whose id is a number": ([HELLO, called(id=1)], "messages[1].tool_calls[0].id", "invalid_type"),
    "a call without a type": (
        [HELLO, {"role": "assistant", "tool_calls": [{"id": "x", "function": {"name": "f"}}]}],
        "messages[1].tool_calls[0].type",
        "missing_required_parameter",
    ),
    "a call of an unknown type": (
        [HELLO, called(type="x")],
        "messages[1].tool_calls[0].type",
        "invalid_value",
    ),
    "a call without a function": (
        [HELLO, {"role": "assistant", "tool_calls": [{"id": "x", "type": "function"}]}],
        "messages[1].tool_calls[0].function",
        "missing_required_parameter",
    ),
    "a call without a name": (
        [HELLO, called(function={"arguments": "{}"})],
        "messages[1].tool_calls[0].function.name",
        "missing_required_parameter",
    ),
    "a call with an empty name": (
        [HELLO, called(function={"name": "", "arguments": "{}"})],
        "messages[1].tool_calls[0].function.name",
        "invalid_value",
    ),
    "arguments that are an object": (
        [HELLO, called({"city": SECRET})],
        "messages[1].tool_calls[0].function.arguments",
        "invalid_type",
    ),
    "the arguments of an old call": (
        [HELLO, {"role": "assistant", "function_call": {"name": "f", "arguments": {}}}],
        "messages[1].function_call.arguments",
        "invalid_type",
    ),
    "thoughts that are a string": (
        [HELLO, {"role": "assistant", "content": "", "thinking_blocks": SECRET}],
        "messages[1].thinking_blocks",
        "invalid_type",
    ),
    "a result without an id": (
        [HELLO, called(), {"role": "tool", "content": SECRET}],
        "messages[2].tool_call_id",
        "missing_required_parameter",
    ),
    "a result with null for an id": (
        [HELLO, called(), returned(tool_call_id=None)],
        "messages[2].tool_call_id",
        "invalid_type",
    ),
    "a result without content": (
        [HELLO, called(), {"role": "tool", "tool_call_id": "call_1"}],
        "messages[2].content",
        "missing_required_parameter",
    ),
    "a result of null": ([HELLO, called(), returned(None)], "messages[2].content", "invalid_type"),
    "a result that is an object": (
        [HELLO, called(), returned({"degrees": SECRET})],
        "messages[2].content",
        "invalid_type",
    ),
    "a function's result of null": (
        [HELLO, {"role": "function", "name": "weather", "content": None}],
        "messages[1].content",
        "invalid_type",
    ),
    "a function's result without a name": (
        [HELLO, {"role": "function", "content": SECRET}],
        "messages[1].name",
        "missing_required_parameter",
    ),
}

UNTRANSLATABLE: dict[str, tuple[list[Any], str]] = {
    "arguments that were cut": ([HELLO, called(CUT)], "messages[1].tool_calls[0].function.arguments"),
    "arguments that are a list": ([HELLO, called("[1]")], "messages[1].tool_calls[0].function.arguments"),
    "arguments that are a number": ([HELLO, called("5")], "messages[1].tool_calls[0].function.arguments"),
    "arguments that are null": ([HELLO, called("null")], "messages[1].tool_calls[0].function.arguments"),
    "arguments with a number that JSON lacks": (
        [HELLO, called('{"x": NaN}')],
        "messages[1].tool_calls[0].function.arguments",
    ),
    "two objects for arguments": ([HELLO, called("{}{}")], "messages[1].tool_calls[0].function.arguments"),
    "arguments nested without end": (
        [HELLO, called('{"x":' * 100_000)],
        "messages[1].tool_calls[0].function.arguments",
    ),
    "an old call's arguments": (
        [HELLO, {"role": "assistant", "function_call": {"name": "f", "arguments": CUT}}],
        "messages[1].function_call.arguments",
    ),
    "a custom tool's call": (
        [
            HELLO,
            {
                "role": "assistant",
                "tool_calls": [{"id": "x", "type": "custom", "custom": {"name": "f", "input": SECRET}}],
            },
        ],
        "messages[1].tool_calls[0].type",
    ),
    "a result that nobody asked for": ([HELLO, returned()], "messages[1].tool_call_id"),
    "a result of another call": (
        [HELLO, called(), returned(tool_call_id="call_2")],
        "messages[2].tool_call_id",
    ),
    "a result before its call": ([HELLO, returned(), called()], "messages[1].tool_call_id"),
}


@pytest.mark.parametrize("strict", [False, True], ids=["passed on", "translated"])
@pytest.mark.parametrize("messages", VALID.values(), ids=VALID.keys())
def test_what_clients_send_passes(messages: list[Any], strict: bool) -> None:
    before = json.dumps(messages)
    check_messages(messages, strict_tools=strict)
    assert json.dumps(messages) == before, "it is only looked at"


@pytest.mark.parametrize("strict", [False, True], ids=["passed on", "translated"])
@pytest.mark.parametrize(("messages", "param", "code"), INVALID.values(), ids=INVALID.keys())
def test_what_no_translator_takes_is_refused(messages: Any, param: str, code: str, strict: bool) -> None:
    with pytest.raises(ApiError) as refused:
        check_messages(messages, strict_tools=strict)
    told(refused.value, param, code)


@pytest.mark.parametrize(("messages", "param"), UNTRANSLATABLE.values(), ids=UNTRANSLATABLE.keys())
def test_tool_calls_are_strict_only_where_they_are_translated(messages: list[Any], param: str) -> None:
    check_messages(messages, strict_tools=False)
    with pytest.raises(ApiError) as refused:
        check_messages(messages, strict_tools=True)
    told(refused.value, param, "invalid_value")


def told(error: ApiError, param: str, code: str) -> None:
    """The client learns where and what, and the log nothing of what it wrote."""
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert (error.param, error.code) == (param, code)
    assert f"'{param}'" in error.message
    assert SECRET not in error.message
    assert len(error.message) < 400


def test_raw_base64_is_answered_with_what_to_send() -> None:
    with pytest.raises(ApiError, match="data:image/png;base64,"):
        check_messages(user(image(RAW)), strict_tools=True)


def schema(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        made = {"type": "object", "properties": {"x": made}}
    return made


def bomb(definitions: int) -> dict[str, Any]:
    """A schema of which each definition refers twice to the next."""
    made = {
        f"D{n}": {"properties": {name: {"$ref": f"#/$defs/D{n + 1}"} for name in "ab"}}
        for n in range(definitions)
    }
    return {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/D0"}},
        "$defs": {**made, f"D{definitions}": {"type": "string"}},
    }


def web(definitions: int) -> dict[str, Any]:
    """A schema of which each definition refers to every one."""
    names = [f"D{n}" for n in range(definitions)]
    made = {
        name: {"type": "object", "properties": {other: {"$ref": f"#/definitions/{other}"} for other in names}}
        for name in names
    }
    return {"type": "object", "properties": {"a": {"$ref": "#/definitions/D0"}}, "definitions": made}


def chain(definitions: int) -> dict[str, Any]:
    """A schema of which each definition is the next."""
    made = {f"D{n}": {"$ref": f"#/$defs/D{n + 1}"} for n in range(definitions)}
    return {"$ref": "#/$defs/D0", "$defs": made}


def tools(*schemas: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": it}} for it in schemas]}


def formatted(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


TOOL = {"type": "function", "function": {"name": "weather", "parameters": schema(2)}}

FIELDS: list[dict[str, Any]] = [
    {"model": "x", "messages": 5, "unheard_of": 5},
    {"temperature": 0, "top_p": 0.5, "n": 1, "max_tokens": 5, "seed": -1, "presence_penalty": -2.0},
    {"max_tokens": 5.0},
    {"temperature": None, "max_tokens": None, "stop": None, "tools": None, "response_format": None},
    {"stop": "END"},
    {"stop": ["a", "b"]},
    {"stop": []},
    {"tools": [TOOL, {"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": None, "strict": True}}]},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "description": None}}]},
    {"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}], "tool_choice": "any"},
    {"tools": [{"googleSearch": {}}, {"type": "web_search_20250305", "name": "web_search"}]},
    {"tools": [{"type": "custom", "custom": {"name": "f"}}]},
    {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
    {"tool_choice": {"type": "auto"}},
    {"functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"}},
    {"function_call": "auto"},
    {"response_format": {"type": "text"}},
    {"response_format": {"type": "json_object", "response_schema": schema(3)}},
    {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "strict": True, "schema": schema(20)},
        }
    },
    {"stream": True, "stream_options": {"include_usage": True}},
    {"reasoning_effort": "low", "verbosity": "low"},
    {"reasoning_effort": {"effort": "low", "summary": "auto"}},
    {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    {"thinking": True},
    {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    {"logprobs": True, "top_logprobs": 3, "logit_bias": {"50256": -100}},
    {"prediction": {"type": "content", "content": "x"}, "user": "u", "metadata": {"a": "b"}},
    tools(bomb(4), web(4)),
    formatted(bomb(8)),
    tools(
        {"$ref": "#/$defs/nobody"},
        {"$ref": 5},
        {"$ref": "#/$defs/x", "$defs": {"x": True}},
        {"properties": {"$ref": {"type": "string"}}},
    ),
    tools({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}}),
    {"top_k": 5, "min_p": 0.1, "safety_settings": [{"category": "x", "threshold": "y"}]},
]

WRONG_FIELDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a number as a string": ({"max_tokens": "5"}, "max_tokens", "invalid_type"),
    "an empty string for a number": ({"max_tokens": ""}, "max_tokens", "invalid_type"),
    "true for a number": ({"max_tokens": True}, "max_tokens", "invalid_type"),
    "a fraction": ({"max_tokens": 5.5}, "max_tokens", "invalid_type"),
    "a word for a number": ({"temperature": SECRET}, "temperature", "invalid_type"),
    "false for a number": ({"temperature": False}, "temperature", "invalid_type"),
    "no number at all": ({"temperature": float("nan")}, "temperature", "invalid_value"),
    "an infinite number": ({"max_tokens": float("inf")}, "max_tokens", "invalid_type"),
    "a list for a number": ({"n": [1]}, "n", "invalid_type"),
    "a number for a switch": ({"logprobs": 1}, "logprobs", "invalid_type"),
    "a word for a switch": ({"stream": "true"}, "stream", "invalid_type"),
    "a number to stop at": ({"stop": 5}, "stop", "invalid_type"),
    "numbers to stop at": ({"stop": ["a", 5]}, "stop[1]", "invalid_type"),
    "tools that are an object": ({"tools": {}}, "tools", "invalid_type"),
    "a tool that is a string": ({"tools": [TOOL, SECRET]}, "tools[1]", "invalid_type"),
    "a tool without a type": (
        {"tools": [{"function": {"name": "f"}}]},
        "tools[0].type",
        "missing_required_parameter",
    ),
    "a tool whose type is a number": ({"tools": [{"type": 5}]}, "tools[0].type", "invalid_type"),
    "a tool without a function": (
        {"tools": [{"type": "function"}]},
        "tools[0].function",
        "missing_required_parameter",
    ),
    "a function without a name": (
        {"tools": [{"type": "function", "function": {"description": SECRET}}]},
        "tools[0].function.name",
        "missing_required_parameter",
    ),
    "a function with an empty name": (
        {"tools": [{"type": "function", "function": {"name": ""}}]},
        "tools[0].function.name",
        "invalid_value",
    ),
    "parameters that are a string": (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": SECRET}}]},
        "tools[0].function.parameters",
        "invalid_type",
    ),
    "parameters without end": (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema(300)}}]},
        "tools[0].function.parameters",
        "invalid_value",
    ),
    "an unknown choice": ({"tool_choice": SECRET}, "tool_choice", "invalid_value"),
    "a choice that is a list": ({"tool_choice": []}, "tool_choice", "invalid_type"),
    "a choice without a type": (
        {"tool_choice": {"function": {"name": "f"}}},
        "tool_choice.type",
        "missing_required_parameter",
    ),
    "a choice of Anthropic's": (
        {"tool_choice": {"type": "tool", "name": SECRET}},
        "tool_choice.type",
        "invalid_value",
    ),
    "a choice without a name": (
        {"tool_choice": {"type": "function", "function": {}}},
        "tool_choice.function.name",
        "missing_required_parameter",
    ),
    "a format that is a string": ({"response_format": "json"}, "response_format", "invalid_type"),
    "a format without a type": (
        {"response_format": {"schema": {}}},
        "response_format.type",
        "missing_required_parameter",
    ),
    "a format without its schema": (
        {"response_format": {"type": "json_schema"}},
        "response_format.json_schema",
        "missing_required_parameter",
    ),
    "a schema that is a string": (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SECRET}}},
        "response_format.json_schema.schema",
        "invalid_type",
    ),
    "a schema without end": (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": schema(300)}}},
        "response_format.json_schema.schema",
        "invalid_value",
    ),
    "a format with no schema in it": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": SECRET}}},
        "response_format.json_schema.schema",
        "missing_required_parameter",
    ),
    "a schema that grows without end": (
        tools({}, bomb(40)),
        "tools[1].function.parameters",
        "invalid_value",
    ),
    "definitions that all refer to each other": (
        tools(web(30)),
        "tools[0].function.parameters",
        "invalid_value",
    ),
    "a format's schema that grows without end": (
        formatted(bomb(40)),
        "response_format.json_schema.schema",
        "invalid_value",
    ),
    "definitions that lead on without end": (
        tools(chain(60_000)),
        "tools[0].function.parameters",
        "invalid_value",
    ),
    "many schemas that grow": (tools(*[bomb(10)] * 100), "tools[3].function.parameters", "invalid_value"),
    "an old function that grows": (
        {"functions": [{"name": "f", "parameters": bomb(40)}]},
        "functions[0].parameters",
        "invalid_value",
    ),
    "properties that are a list": (
        tools({"properties": [SECRET]}),
        "tools[0].function.parameters.properties",
        "invalid_type",
    ),
    "more tools than anybody has": ({"tools": [TOOL] * 2000}, "tools", "invalid_value"),
    "an effort without end": ({"reasoning_effort": SECRET * 1000}, "reasoning_effort", "invalid_value"),
    "options that are a list": ({"stream_options": []}, "stream_options", "invalid_type"),
    "an option that is a word": (
        {"stream_options": {"include_usage": "yes"}},
        "stream_options.include_usage",
        "invalid_type",
    ),
    "a budget that is a string": (
        {"thinking": {"type": "enabled", "budget_tokens": "5"}},
        "thinking.budget_tokens",
        "invalid_type",
    ),
    "functions that are strings": ({"functions": [SECRET]}, "functions[0]", "invalid_type"),
    "a bias that is a list": ({"logit_bias": [1]}, "logit_bias", "invalid_type"),
}


@pytest.mark.parametrize("request_", FIELDS, ids=[", ".join(fields) for fields in FIELDS])
def test_fields_of_the_right_kind_pass(request_: dict[str, Any]) -> None:
    check_fields(request_, strict_tools=True)


@pytest.mark.parametrize(("request_", "param", "code"), WRONG_FIELDS.values(), ids=WRONG_FIELDS.keys())
def test_fields_of_the_wrong_kind_are_refused(request_: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(ApiError) as refused:
        check_fields(request_, strict_tools=True)
    told(refused.value, param, code)


def test_schemas_that_are_passed_on_may_refer_as_they_like() -> None:
    check_fields(tools(bomb(40)), strict_tools=False)


LONG = "All work and no play makes Jack a dull boy. " * 100_000

HUGE: dict[str, tuple[list[Any], float]] = {
    "one text": ([{"role": "user", "content": LONG}], 0.01),
    "one text part": (user({"type": "text", "text": LONG}), 0.01),
    "one image": (user(image("data:image/png;base64," + "A" * len(LONG))), 0.01),
    "one image as raw base64": (user(image("A" * len(LONG))), 0.01),
    "one call": ([HELLO, called(json.dumps({"x": LONG}))], 0.5),
    "one call that was cut": ([HELLO, called('{"x": "' + LONG)], 0.5),
    "many messages": ([HELLO, {"role": "assistant", "content": "Hi"}] * 50_000, 2),
    "many parts": (user(*[{"type": "text", "text": "x"}] * 100_000), 2),
    "many calls": ([HELLO, *[called(), returned()] * 10_000], 4),
}


def test_large_schemas_cost_little() -> None:
    properties = {f"p{n}": {"type": "string", "description": "what it is"} for n in range(60_000)}
    began = time.thread_time()
    check_fields(tools({"type": "object", "properties": properties}), strict_tools=True)
    assert time.thread_time() - began < 3


@pytest.mark.parametrize(("messages", "seconds"), HUGE.values(), ids=HUGE.keys())
def test_megabytes_cost_little(messages: list[Any], seconds: float) -> None:
    began = time.thread_time()
    try:
        check_messages(messages, strict_tools=True)
    except ApiError as error:
        assert len(error.message) < 400
    assert time.thread_time() - began < seconds
