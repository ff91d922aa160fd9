"""What LiteLLM sends for a few requests to each provider of the direct lane's table.

Its answers are kept beside this file, because asking takes a minute. After changing the locked version of LiteLLM, or
the requests, run in an environment that holds it:

    python3 -m tests.gateway.direct.oracle > tests/gateway/direct/litellm.json

Nothing leaves the machine: LiteLLM's HTTP transports are replaced.
"""

import json
import logging
import os
import socket
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pennyworth.gateway.providers import PROVIDERS

FILE = Path(__file__).with_name("litellm.json")

BASE = "https://up.example/v1"
"""The address of providers that have none of their own."""

MODELS = {
    "azure": "gpt-4.1",
    "bedrock": "chat_completions/us-east-1/openai.gpt-oss-20b-1:0",
    "bedrock_mantle": "openai.gpt-oss-20b",
    "openai": "gpt-4.1",
}
"""Models by provider, where their names matter."""

_FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
_TOOL = {"type": "function", "function": _FUNCTION}
_CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_USER: dict[str, Any] = {"role": "user", "content": "hi"}
_TEXT = {"type": "text", "text": "a"}
_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
_SCHEMA = {"name": "s", "schema": {"type": "object", "properties": {}}, "strict": True}

REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "max_completion_tokens": {"max_completion_tokens": 7},
    "max_tokens": {"max_tokens": 7},
    "temperature": {"temperature": 0.7},
    "top_p": {"top_p": 0.5},
    "n": {"n": 2},
    "stop": {"stop": ["a"]},
    "presence_penalty": {"presence_penalty": 0.1},
    "frequency_penalty": {"frequency_penalty": 0.1},
    "logit_bias": {"logit_bias": {"1": 1}},
    "user": {"user": "u"},
    "seed": {"seed": 1},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "reasoning_effort": {"reasoning_effort": "low"},
    "service_tier": {"service_tier": "flex"},
    "store": {"store": True},
    "prediction": {"prediction": {"type": "content", "content": "p"}},
    "modalities": {"modalities": ["text"]},
    "verbosity": {"verbosity": "low"},
    "prompt_cache_key": {"prompt_cache_key": "k"},
    "safety_identifier": {"safety_identifier": "s"},
    "tools": {"tools": [_TOOL]},
    "strict_tools": {"tools": [{"type": "function", "function": {**_FUNCTION, "strict": True}}]},
    "parallel_tool_calls": {"tools": [_TOOL], "parallel_tool_calls": False},
    "tool_choice": {"tools": [_TOOL], "tool_choice": "required"},
    "response_format": {"response_format": {"type": "json_schema", "json_schema": _SCHEMA}},
    "stream_options": {"stream": True, "stream_options": {"include_usage": True}},
    "web_search_options": {"web_search_options": {}},
    "top_k": {"top_k": 3},
    "developer": {"messages": [{"role": "developer", "content": "d"}, _USER]},
    "parts": {"messages": [{"role": "user", "content": [_TEXT, {"type": "text", "text": "b"}]}]},
    "cached_parts": {
        "messages": [
            {"role": "system", "content": [{**_TEXT, "cache_control": {"type": "ephemeral"}}]},
            _USER,
        ]
    },
    "name": {"messages": [{**_USER, "name": "n"}]},
    "image": {"messages": [{"role": "user", "content": [_TEXT, _IMAGE]}]},
    "tool_result": {
        "messages": [
            _USER,
            {"role": "assistant", "content": None, "tool_calls": [_CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": [_TEXT]},
        ],
    },
    "reasoning_content": {
        "messages": [_USER, {"role": "assistant", "content": "c", "reasoning_content": "r"}, _USER]
    },
    "prefill": {"messages": [_USER, {"role": "assistant", "content": "p"}]},
}


def request(provider: str, name: str) -> dict[str, Any]:
    """A request as a client sends it."""
    return {"model": MODELS.get(provider, "m"), "messages": [_USER], **REQUESTS[name]}


def params(provider: str) -> dict[str, str]:
    """What the configuration says of a provider's deployment."""
    row = PROVIDERS[provider]
    further = (
        {"api_base": BASE} if (row.base_url is None and not row.service) or provider == "snowflake" else {}
    )
    if row.service:
        further["aws_region_name"] = "us-east-1"
    if provider == "azure":
        further["api_version"] = "2024-10-21"
    if provider == "cloudflare":
        further["api_base"] = BASE
    return {"api_key": "sk-key", **further}


_ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Oracle:
    """LiteLLM with its transports replaced."""

    def __init__(self) -> None:
        for name in [name for name in os.environ if any(w in name for w in ("KEY", "TOKEN", "API_BASE"))]:
            del os.environ[name]
        os.environ.update(
            LITELLM_LOCAL_MODEL_COST_MAP="True",
            LITELLM_MODE="PRODUCTION",
            LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS="True",
        )
        self._litellm: Any = import_module("litellm")
        self._litellm.telemetry = False
        self._litellm.suppress_debug_info = True
        self._litellm.disable_token_counter = True
        logging.disable(logging.CRITICAL)
        self._sent: list[tuple[str, dict[str, str], bytes]] = []
        httpx: Any = import_module("httpx")

        def handle(transport: Any, request: Any) -> Any:
            self._sent.append((str(request.url), dict(request.headers), request.read()))
            return httpx.Response(200, json=_ANSWER, request=request)

        httpx.HTTPTransport.handle_request = handle

        def refuse(*_: object) -> None:
            raise OSError("nothing may leave this machine")

        socket.socket.connect = refuse  # type: ignore[method-assign]

    def ask(self, provider: str, name: str) -> tuple[str, dict[str, str], Any] | str:
        """What LiteLLM sends: address, headers and body; or why it sends nothing."""
        self._sent.clear()
        fields = request(provider, name)
        try:
            self._litellm.completion(
                **{**fields, "model": f"{provider}/{fields['model']}"},
                **params(provider),
                num_retries=0,
                max_retries=0,
                timeout=5,
            )
        except Exception as error:
            if not self._sent:
                return type(error).__name__
        if not self._sent:
            return "nothing"
        url, headers, body = self._sent[-1]
        return url, headers, json.loads(body or b"{}")


def main() -> None:
    """Print what LiteLLM sends, as JSON: only what differs from what it is given."""
    oracle = Oracle()
    ordinary = {
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    }
    providers: dict[str, Any] = {}
    for provider in PROVIDERS:
        plain = oracle.ask(provider, "plain")
        if isinstance(plain, str):
            print(f"{provider}: {plain}", file=sys.stderr)
            continue
        url, headers, _ = plain
        kept = {n: v for n, v in headers.items() if n not in ordinary and not n.startswith("x-stainless")}
        changed: dict[str, Any] = {}
        for name in REQUESTS:
            answer = oracle.ask(provider, name)
            if isinstance(answer, str):
                changed[name] = answer
                continue
            given, body = request(provider, name), answer[2]
            difference = {
                field: body.get(field)
                for field in given.keys() | body.keys()
                if body.get(field) != given.get(field)
            }
            if difference:
                changed[name] = dict(sorted(difference.items()))
        providers[provider] = {"url": url, "headers": kept, "changed": changed}
    lines = (f" {json.dumps(name)}: {json.dumps(sent)}" for name, sent in providers.items())
    print(f'{{"version": "{version("litellm")}", "providers": {{\n' + ",\n".join(lines) + "\n}}")


if __name__ == "__main__":
    main()
