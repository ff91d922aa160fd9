"""How LiteLLM answers in another protocol than chat completions: as a chat completion, which it translates both ways.

What a chat completion has no place for is lost: stored responses, server tools, cache_control and signed thinking where
the provider has none of its own. Each bridge calls the SDK, and writes what it gives.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from pennyworth.gateway.dialects.events import make_renamer, named_event


class Bridge(NamedTuple):
    """A protocol's way through LiteLLM."""

    call: Callable[[Mapping[str, Any], dict[str, Any]], Any]
    """Asks the SDK. Takes the request's fields, and the arguments that every call has: the model, its credentials."""
    document: Callable[[Any], dict[str, Any]]
    """A whole answer as the protocol has it."""
    events: Callable[[Iterator[Any], str], Iterator[bytes]]
    """A stream's events, with the model's name that the client asked for."""


# The SDK's own functions would import its proxy's MCP client, which is not installed: what they call is called here.

_MESSAGE_FIELDS = frozenset(
    [
        "container",
        "max_tokens",
        "messages",
        "metadata",
        "output_config",
        "output_format",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    ]
)
"""https://docs.claude.com/en/api/messages, without what only Anthropic's own servers can do."""

_RESPONSE_FIELDS = frozenset(
    [
        "include",
        "instructions",
        "max_output_tokens",
        "parallel_tool_calls",
        "prompt_cache_key",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
        "truncation",
        "user",
    ]
)
"""https://platform.openai.com/docs/api-reference/responses/create, without what needs stored responses."""

_SERVER_TOOLS = frozenset(["namespace", "web_search", "web_search_preview", "tool_search"])
"""Of tools that clients offer unasked, and that a server would have to run: left out."""


def _ask_message(fields: Mapping[str, Any], arguments: dict[str, Any]) -> Any:
    given = {name: value for name, value in fields.items() if name in _MESSAGE_FIELDS}
    if isinstance(metadata := given.pop("metadata", None), Mapping) and "user_id" in metadata:
        given["metadata"] = {"user_id": metadata["user_id"]}  # LiteLLM takes further ones for itself
    module = import_module("litellm.llms.anthropic.pass_through.adapters.handler")
    handler = module.LiteLLMMessagesToCompletionTransformationHandler
    return handler.anthropic_messages_handler(**{**arguments, **given, "model": arguments["model"]})


def _ask_response(fields: Mapping[str, Any], arguments: dict[str, Any]) -> Any:
    request = {
        name: value for name, value in fields.items() if name in _RESPONSE_FIELDS and value is not None
    }
    if isinstance(tools := request.get("tools"), list):
        request["tools"] = [tool for tool in tools if not _runs_elsewhere(tool)]
        if not request["tools"]:
            request.pop("tools")
            request.pop("tool_choice", None)
    module = import_module("litellm.responses.litellm_completion_transformation.handler")
    return module.LiteLLMCompletionTransformationHandler().response_api_handler(
        input=fields["input"],
        responses_api_request=request,
        custom_llm_provider=arguments["model"].partition("/")[0],
        **arguments,
    )


def _runs_elsewhere(tool: Any) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") in _SERVER_TOOLS


def _message_document(answer: Any) -> dict[str, Any]:
    return dict(answer)


def _response_document(answer: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"error": None, "incomplete_details": None, **_dump(answer)}
    return document


def _dump(model: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = model.model_dump(mode="json", exclude_none=True)
    return dumped


def _message_events(answer: Iterator[Any], model: str) -> Iterator[bytes]:
    rename = make_renamer(model)
    for event in answer:
        yield rename(event if isinstance(event, bytes) else str(event).encode())


def _response_events(answer: Iterator[Any], model: str) -> Iterator[bytes]:
    for number, event in enumerate(answer):
        document = {**_dump(event), "sequence_number": number}
        if isinstance(document.get("response"), dict):
            document["response"]["model"] = model
        yield named_event(document)


BRIDGES: Mapping[str, Bridge] = {
    "messages": Bridge(_ask_message, _message_document, _message_events),
    "responses": Bridge(_ask_response, _response_document, _response_events),
}
"""By what is asked for, as `Endpoint.native` has it."""
