"""A conversation's shape, checked before LiteLLM sees it.

LiteLLM trusts the shape. What it can't translate ends as an exception that quotes the conversation, which it then
searches for credentials, line by line of its traceback, several times over: seconds of processor time for a megabyte.

The shapes are those of OpenAI's API, and beyond them what LiteLLM's translators accept (its types/llms/openai.py and
litellm_core_utils/prompt_templates/factory.py): https://platform.openai.com/docs/api-reference/chat/create.
"""

import json
import re
from typing import Any, NoReturn

from pennyworth.gateway.lanes.shapes import (
    LIST,
    OBJECT,
    STRING,
    Shape,
    a,
    an_object,
    check,
    invalid,
    listed,
    missing,
    text,
    word,
    wrong_kind,
)

_MOST_CALLS = 128
"""Of one message, as OpenAI's API has it. LiteLLM looks for each of them once for each result."""

_SCHEMES = ("https://", "http://", "gs://", "s3://")

# The beginning of a data: URL (RFC 2397) with a media type and base64, which is what providers take.
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(;[\w.+-]+=[^;,]*)*;base64,", re.ASCII)
_LONGEST_DATA_URL_HEAD = 256


def _url(value: str, place: str) -> None:
    if value.startswith("data:"):
        head = _DATA_URL.match(value, 0, _LONGEST_DATA_URL_HEAD)
        # LiteLLM looks for schemes and parts anywhere in it
        if not head or value.find(",", head.end()) >= 0 or value.find(":", head.end()) >= 0:
            raise invalid(
                place,
                "is a data: URL without a media type or without base64 data",
                "Send it as data:MEDIA-TYPE;base64,DATA, such as data:image/png;base64,iVBORw0KGgo.",
            )
    elif not value.startswith(_SCHEMES):
        raise invalid(
            place,
            f"must be a URL that begins with {', '.join(_SCHEMES)} or data:",
            "To send the bytes themselves, send a data: URL, such as data:image/png;base64,iVBORw0KGgo.",
        )
    else:
        check(value, word(), place)


def _arguments(value: str, place: str) -> None:
    """A tool call's arguments, which most providers want as an object and not as text. Nothing stands for `{}`."""
    if not value or value.isspace():
        return
    try:
        parsed: Any = json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise invalid(
            place,
            "is not valid JSON",
            "A tool call's arguments are a JSON object as a string. If the model's answer was cut off there, leave that"
            " call out.",
        ) from None
    if not isinstance(parsed, dict):
        raise invalid(place, "must be a JSON object as a string, such as {}")


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _source(value: dict[str, Any], place: str) -> None:
    """Where a part in Anthropic's shape has its bytes from."""
    if value.get("type") == "url":
        check(value, an_object("url", url=text(also=_url)), place)


def _file(value: dict[str, Any], place: str) -> None:
    if not value.get("file_data") and not value.get("file_id"):
        raise missing(
            f"{place}.file_data", "A file is sent by its 'file_data', or by the 'file_id' of an upload."
        )


_LINK = Shape(
    (STRING, OBJECT),
    fields={"url": text(also=_url), "format": word(), "detail": word()},
    needs=("url",),
    also=lambda value, place: _url(value, place) if isinstance(value, str) else None,
)
_TEXT_PART = an_object("text", text=text())
_SOURCE = Shape((OBJECT,), also=_source)
_FILE = Shape(
    (OBJECT,),
    fields={
        "file_data": text(also=_url),
        "file_id": word(),
        "filename": word(),
        "format": word(),
        "video_metadata": a(OBJECT),
    },
    also=_file,
)

_PARTS: dict[str, Shape] = {
    "text": _TEXT_PART,
    "refusal": an_object("refusal", refusal=text()),
    "image_url": an_object("image_url", image_url=_LINK),
    "input_audio": an_object(
        "input_audio", input_audio=an_object("data", "format", data=text(), format=word())
    ),
    "file": an_object("file", file=_FILE),
    # servers of one's own, such as vLLM
    "audio_url": an_object("audio_url", audio_url=_LINK),
    "video_url": an_object("video_url", video_url=_LINK),
    # Bedrock's guardrails
    "guarded_text": _TEXT_PART,
    "grounding_source": _TEXT_PART,
    "query": _TEXT_PART,
    # Anthropic's own
    "document": an_object("source", source=_SOURCE),
    "image": an_object("source", source=_SOURCE),
    "thinking": an_object("thinking", thinking=text(), signature=text()),
    "redacted_thinking": an_object("data", data=text()),
    "tool_reference": an_object("tool_name", tool_name=word()),
    "server_tool_use": an_object(id=word(), name=word()),
    # of OpenAI's other API, which some clients send as what a tool returned
    "input_image": an_object("image_url", image_url=_LINK),
    "input_file": an_object(file_data=text(also=_url), file_id=word(), file_url=text(also=_url)),
}
"""Content parts, by their type."""

_ASKED = (
    *("text", "image_url", "input_audio", "file", "audio_url", "video_url", "document"),
    *("guarded_text", "grounding_source", "query"),
)
_RETURNED = ("text", "image_url", "file", "image", "document", "tool_reference", "input_image", "input_file")

_ROLES: dict[str, tuple[str, ...]] = {
    "developer": _ASKED,
    "system": _ASKED,
    "user": _ASKED,
    "assistant": ("text", "refusal", "image_url", "thinking", "redacted_thinking", "server_tool_use"),
    "tool": _RETURNED,
    "function": _RETURNED,
}
"""Who may speak, and in which parts."""

_RESULT = "_tool_result"
"""How the types of parts end in which Anthropic's own tools return something; they are an assistant's."""

_ASSISTANT = {
    "audio": an_object("id", id=word()),
    "images": listed(an_object(image_url=_LINK)),
    "provider_specific_fields": a(OBJECT),
    "reasoning_content": a(STRING),
    "reasoning_items": listed(a(OBJECT)),
    "refusal": a(STRING),
    "thinking_blocks": listed(a(OBJECT)),
}
"""What else an assistant's message may hold. Any of these stands for content that is missing."""


def _called(*, strict: bool) -> Shape:
    return an_object("name", name=word(filled=True), arguments=text(also=_arguments if strict else None))


# By whether tool calls have to be translated.
_FUNCTIONS = {strict: _called(strict=strict) for strict in (False, True)}
_CALLS = {
    strict: an_object("id", "type", id=word(filled=True), type=text(*types))
    for strict, types in {True: ("function",), False: ("function", "custom")}.items()
}
_CUSTOM = an_object("name", name=word(filled=True), input=text())


def check_messages(messages: object, *, strict_tools: bool) -> None:
    """See that a request's messages are what LiteLLM can translate.

    Costs next to nothing but for tool calls' arguments, which are parsed: no text is copied or searched.

    Args:
        messages: the field `messages`, as `json.loads` gives it.
        strict_tools: whether the provider wants tool calls translated: then arguments must be the JSON of an object,
            and what a tool returned must belong to a call. Where the request stays in OpenAI's shape, its upstream
            says what it takes.
    Raises:
        ApiError: 400, about the first fault. It quotes nothing of the conversation.
    """
    if messages is None:
        raise missing("messages")
    if not isinstance(messages, list):
        raise wrong_kind("messages", "a list of messages", messages)
    if not messages:
        raise invalid("messages", "must hold at least one message")
    called: set[str] = set()
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        if not isinstance(message, dict):
            raise wrong_kind(place, "an object with a role and content", message)
        role = message.get("role")
        if role is None:
            raise missing(f"{place}.role", f"It says who speaks: {', '.join(_ROLES)}.")
        if not isinstance(role, str) or role not in _ROLES:
            check(role, text(*_ROLES), f"{place}.role")
        content = message.get("content")
        if isinstance(content, list):
            _check_parts(content, role, f"{place}.content")
        elif content is not None and not isinstance(content, str):
            raise wrong_kind(f"{place}.content", "a string or a list of content parts", content)
        if role == "assistant":
            _check_assistant(message, place, called, strict=strict_tools)
        elif content is None:
            returns = role in ("tool", "function")
            advice = f"Send an empty string where the {role} returned nothing." if returns else ""
            if "content" not in message:
                raise missing(f"{place}.content", advice)
            raise wrong_kind(f"{place}.content", "a string or a list of content parts", content, advice)
        if role == "tool":
            _check_returned(message, place, called, strict=strict_tools)
        elif role == "function":
            check(message, an_object("name", name=word(filled=True)), place)


def _check_parts(parts: list[Any], role: str, place: str) -> None:
    if not parts and role == "user":
        raise invalid(place, "must hold at least one part")
    allowed = _ROLES[role]
    for index, part in enumerate(parts):
        if not isinstance(part, dict):
            raise wrong_kind(f"{place}[{index}]", "a content part, which is an object with a type", part)
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("text"), str):
            continue
        here = f"{place}[{index}]"
        if kind is None:
            raise missing(f"{here}.type", f"It says what the part is: {', '.join(allowed)}.")
        if isinstance(kind, str) and role == "assistant" and kind.endswith(_RESULT):
            continue
        if not isinstance(kind, str) or kind not in allowed:
            check(kind, text(*allowed), f"{here}.type")
        else:
            check(part, _PARTS[kind], here)


def _check_assistant(message: dict[str, Any], place: str, called: set[str], *, strict: bool) -> None:
    calls, function = message.get("tool_calls"), message.get("function_call")
    if calls is not None:
        if not isinstance(calls, list):
            raise wrong_kind(f"{place}.tool_calls", LIST, calls)
        if len(calls) > _MOST_CALLS:
            raise invalid(f"{place}.tool_calls", f"must have at most {_MOST_CALLS} items")
        for index, call in enumerate(calls):
            _check_call(call, f"{place}.tool_calls[{index}]", strict=strict)
            called.add(call["id"])
    if function is not None:
        check(function, _FUNCTIONS[strict], f"{place}.function_call")
    found = False
    for name, shape in _ASSISTANT.items():
        value = message.get(name)
        if value is not None:
            found = True
            check(value, shape, f"{place}.{name}")
    if message.get("content") is None and not calls and function is None and not found:
        raise missing(f"{place}.content", "An assistant's message has content or tool calls.")


def _check_call(call: object, place: str, *, strict: bool) -> None:
    if not isinstance(call, dict):
        raise wrong_kind(place, OBJECT, call)
    check(call, _CALLS[strict], place)
    name, shape = ("custom", _CUSTOM) if call["type"] == "custom" else ("function", _FUNCTIONS[strict])
    check(call, an_object(name, **{name: shape}), place)


def _check_returned(message: dict[str, Any], place: str, called: set[str], *, strict: bool) -> None:
    check(message, an_object("tool_call_id", tool_call_id=word(filled=True)), place)
    if strict and message["tool_call_id"] not in called:
        raise invalid(
            f"{place}.tool_call_id",
            "must be the id of a tool call that an assistant's message before it holds in 'tool_calls'",
            "Send that message too, or leave this one out.",
        )
