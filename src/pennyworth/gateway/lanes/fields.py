"""The shapes of a request's other fields, checked before LiteLLM sees them.

A string where a number belongs ends, within LiteLLM, as an exception of Python's. OpenAI's own fields are those of
https://platform.openai.com/docs/api-reference/chat/create; the rest are providers', as LiteLLM passes them on.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pennyworth.gateway.lanes.shapes import (
    BOOLEAN,
    INTEGER,
    LIST,
    NUMBER,
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
)

_MOST_TOOLS = 1024
"""OpenAI's API takes 128; other providers take more."""

_DEEPEST_SCHEMA = 100
"""Levels. LiteLLM walks through schemas recursively, and gives up there."""

_MOST_REFERRED = 20_000
"""Of all schemas of a request: how many of their nodes may lie behind `$ref`, each time that it is used.

LiteLLM puts what is referred to in the place of each reference. A few definitions that each refer twice to the next
would else become millions of nodes.
"""

_DEFINITIONS = ("$defs", "definitions")


def _tool(value: dict[str, Any], place: str) -> None:
    """A tool. Only functions are OpenAI's; providers have tools of their own, some of them without a type."""
    if "type" not in value and "function" in value:
        raise missing(f"{place}.type", "A function's type is 'function'.")
    if value.get("type") == "function":
        check(value, an_object("function", function=_FUNCTION), place)


def _choice(value: object, place: str) -> None:
    if isinstance(value, str):
        check(value, text("none", "auto", "required", "any"), place)
    else:
        check(value, an_object("type", type=text("function", "none", "auto", "required")), place)
        if isinstance(value, dict) and value["type"] == "function":
            check(value, an_object("function", function=_NAMED), place)


def _format(value: dict[str, Any], place: str) -> None:
    if value["type"] == "json_schema":
        shape = an_object("schema", schema=a(OBJECT), name=word())
        check(value, an_object("json_schema", json_schema=shape), place)


_NAMED = an_object("name", name=word(filled=True))
_FUNCTION = an_object(
    "name",
    name=word(filled=True),
    description=text(),
    parameters=an_object(properties=a(OBJECT), required=a(LIST)),
)

_FIELDS: dict[str, Shape] = {
    "audio": an_object(voice=Shape((STRING, OBJECT), longest=1024), format=word()),
    "frequency_penalty": a(NUMBER),
    "function_call": Shape((STRING, OBJECT), fields=_NAMED.fields, needs=_NAMED.needs, longest=1024),
    "functions": listed(_FUNCTION, _MOST_TOOLS),
    "logit_bias": a(OBJECT),
    "logprobs": a(BOOLEAN),
    "max_completion_tokens": a(INTEGER),
    "max_tokens": a(INTEGER),
    "metadata": a(OBJECT),
    "modalities": listed(word(), 16),
    "moderation": a(OBJECT),
    "n": a(INTEGER),
    "parallel_tool_calls": a(BOOLEAN),
    "prediction": a(OBJECT),
    "presence_penalty": a(NUMBER),
    "prompt_cache_key": word(),
    "prompt_cache_options": a(OBJECT),
    "prompt_cache_retention": word(),
    "reasoning_effort": Shape((STRING, OBJECT), fields={"effort": word()}, longest=1024),
    "response_format": Shape((OBJECT,), fields={"type": word()}, needs=("type",), also=_format),
    "safety_identifier": word(),
    "seed": a(INTEGER),
    "service_tier": word(),
    "stop": Shape((STRING, LIST), items=word(), longest=8192),
    "store": a(BOOLEAN),
    "stream": a(BOOLEAN),
    "stream_options": an_object(include_usage=a(BOOLEAN)),
    "temperature": a(NUMBER),
    "tool_choice": Shape((STRING, OBJECT), also=_choice),
    "tools": listed(Shape((OBJECT,), fields={"type": word()}, also=_tool), _MOST_TOOLS),
    "top_logprobs": a(INTEGER),
    "top_p": a(NUMBER),
    "user": word(),
    "verbosity": word(),
    "web_search_options": an_object(user_location=a(OBJECT), search_context_size=word()),
    # providers' own
    "cached_content": word(),
    "chat_template_kwargs": a(OBJECT),
    "citation_options": a(OBJECT),
    "context_management": a(OBJECT, LIST),
    "documents": a(LIST),
    "enable_thinking": a(BOOLEAN),
    "guardrailConfig": a(OBJECT),
    "include_reasoning": a(BOOLEAN),
    "include_server_side_tool_invocations": a(BOOLEAN),
    "min_p": a(NUMBER),
    "performanceConfig": a(OBJECT),
    "priority": a(INTEGER),
    "reasoning": an_object(effort=word(), max_tokens=a(INTEGER)),
    "repetition_penalty": a(NUMBER),
    "requestMetadata": a(OBJECT),
    "safety_mode": word(),
    "safety_settings": listed(a(OBJECT)),
    "search_parameters": a(OBJECT),
    "strict_tools": a(BOOLEAN),
    "thinking": Shape((OBJECT, BOOLEAN), fields={"type": word(), "budget_tokens": a(INTEGER)}),
    "top_a": a(NUMBER),
    "top_k": a(NUMBER),
}


def check_fields(request: Mapping[str, Any], *, strict_tools: bool) -> None:
    """See that a request's fields have the kinds that they must have. Null counts as absent, unknown ones pass.

    Args:
        request: the request's JSON object; its messages are `check_messages`'s.
        strict_tools: whether the provider wants tools and schemas translated.
    Raises:
        ApiError: 400, about the first fault. It quotes nothing of the request.
    """
    for name, value in request.items():
        shape = _FIELDS.get(name)
        if shape is not None and value is not None:
            check(value, shape, name)
    if strict_tools:
        left = _MOST_REFERRED
        for place, schema in _schemas(request):
            left = _check_schema(schema, place, left)


def _schemas(request: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The JSON Schemas of a request whose fields have the right kinds, and where they stand."""
    for index, tool in enumerate(request.get("tools") or ()):
        if tool.get("type") == "function":
            yield f"tools[{index}].function.parameters", tool["function"].get("parameters")
    for index, function in enumerate(request.get("functions") or ()):
        yield f"functions[{index}].parameters", function.get("parameters")
    form = request.get("response_format") or {}
    yield "response_format.response_schema", form.get("response_schema")
    if form.get("type") == "json_schema":
        yield "response_format.json_schema.schema", form["json_schema"]["schema"]


def _check_schema(schema: Any, place: str, left: int) -> int:
    """See that a schema stays within bounds when LiteLLM has put definitions in the place of references.

    Args:
        schema: the schema.
        place: where it stands.
        left: how many nodes behind references are still allowed.
    Returns:
        how many then are.
    Raises:
        ApiError: it doesn't.
    """
    definitions: dict[str, Any] = {}
    # a node, how deep it lies, and the references that led there: one within itself stays what it is
    stack: list[tuple[Any, int, tuple[str, ...]]] = [(schema or {}, 0, ())]
    while stack:
        node, depth, chain = stack.pop()
        if depth > _DEEPEST_SCHEMA:
            raise invalid(place, f"is nested more than {_DEEPEST_SCHEMA} levels deep")
        if chain:
            left -= 1
            if left < 0:
                raise invalid(
                    place,
                    f"has more than {_MOST_REFERRED} nodes once each '$ref' is replaced by what it refers to",
                    "Refer less often, or to less.",
                )
        if isinstance(node, list):
            stack += [(value, depth + 1, chain) for value in node if isinstance(value, (dict, list))]
            continue
        for name, value in node.items():
            if isinstance(value, dict) and name in _DEFINITIONS:
                definitions.update(value)
            elif isinstance(value, (dict, list)):
                stack.append((value, depth + 1, chain))
        reference = node.get("$ref")
        if isinstance(reference, str):
            name = reference.rpartition("/")[2]
            found = definitions.get(name)
            if isinstance(found, dict) and name not in chain:
                stack.append((found, depth + 1, (*chain, name)))
    return left
