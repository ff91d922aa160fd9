"""A provider whose model does as the request says, so that one serves each check of each client.

A prompt that holds `CALL name {arguments}` gets a call of that tool, then the tool's result in words. A schema, or a
tool that must be used, gets the smallest value that fits it. A model called `cut` breaks off in mid-stream.
"""

import json
import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from pennyworth.local.llm.scripted import Answer, Received, ScriptedUpstream

TEXT = "The capital of France is Paris."
CUT = "cut"
_CALL = re.compile(r"CALL ([\w.-]+) ({.*?})(?=\s|$|<)", re.DOTALL)

Json = Mapping[str, Any]


class ObedientUpstream(ScriptedUpstream):
    """The provider, for the duration of a `with` block."""

    def take(self, received: Received) -> Answer:
        """Return the answer that a request asks for."""
        payload = received.payload if isinstance(received.payload, dict) else {}
        if payload.get("model") == CUT:
            return Answer(TEXT, fault="cut", after=3 if payload.get("stream") else 20)
        messages: list[Json] = payload.get("messages") or []
        if messages and messages[-1].get("role") == "tool":
            return Answer(f"The tool said: {_text(messages[-1])}")
        tools = {tool["function"]["name"]: tool["function"] for tool in payload.get("tools") or ()}
        # some clients put reminders behind what they were asked
        asked = takewhile(lambda message: message.get("role") != "assistant", reversed(messages))
        wanted = next(filter(None, (_CALL.search(_text(message)) for message in asked)), None)
        if wanted and wanted[1] in tools:
            return Answer(tool=(wanted[1], wanted[2]))
        if (forced := _forced(payload, tools)) is not None:
            return Answer(tool=(forced, json.dumps(smallest(tools[forced].get("parameters", {})))))
        schema = ((payload.get("response_format") or {}).get("json_schema") or {}).get("schema")
        return Answer(json.dumps(smallest(schema))) if schema else Answer(TEXT)


def smallest(schema: Json, root: Json | None = None) -> Any:
    """The smallest value that fits a JSON schema, as far as clients use it."""
    root = schema if root is None else root
    if "$ref" in schema:
        found: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return smallest(found, root)
    if options := schema.get("anyOf") or schema.get("allOf"):
        return smallest(options[0], root)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: smallest(properties[name], root) for name in schema.get("required", properties)}
        case "array":
            return [smallest(schema["items"], root)]
        case "integer" | "number":
            return 7
        case "boolean":
            return True
        case _:
            return "Paris"


def _forced(payload: Json, tools: Json) -> str | None:
    """The tool that the model must use; None: none."""
    choice = payload.get("tool_choice")
    if isinstance(choice, dict):
        return str(choice["function"]["name"])
    return next(iter(tools), None) if choice == "required" else None


def _text(message: Json) -> str:
    """A message's text, whichever form its content has."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
