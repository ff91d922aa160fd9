"""The LiteLLM lane: every provider whose API is not OpenAI's, translated by the LiteLLM SDK.

The SDK takes seconds to import and there is no light way into it, so it is imported once, in the background, by
`prepare`; requests that come meanwhile wait. SDK: https://docs.litellm.ai/docs/completion/input.
"""

import copy
import gc
import importlib
import importlib.util
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pennyworth.gateway.call import Attempt, Call
from pennyworth.gateway.config import read_flag
from pennyworth.gateway.dialects import dialect
from pennyworth.gateway.endpoint import Endpoint
from pennyworth.gateway.endpoints import PRESETS
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.forwarding import add_forwarded
from pennyworth.gateway.grades import SDK_SETTINGS
from pennyworth.gateway.http.errors import Unreachable
from pennyworth.gateway.lanes import bounds
from pennyworth.gateway.lanes.controls import is_control, without_controls
from pennyworth.gateway.lanes.failures import (
    broken,
    kept_headers,
    redirected,
    timed_out,
    told_error,
    unreachable,
    unsendable,
    unusable,
    upstream_error,
)
from pennyworth.gateway.log import log
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.upstreams import Upstream
from pennyworth.gateway.wsgi import JSON, Headers, Response

if TYPE_CHECKING:
    from pennyworth.gateway.lanes.bridges import Bridge
    from pennyworth.gateway.lanes.transport import CallScope

# Read by LiteLLM while it is imported.
_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches its price table, and blocks where it can't
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # the same for a list of headers
    "LITELLM_MODE": "PRODUCTION",  # else it reads a .env of its own
}

# Set on the module once it is imported.
_SETTINGS = {
    "telemetry": False,
    "suppress_debug_info": True,  # prints advertisements to standard output upon errors
    "disable_hf_tokenizer_download": True,  # blocks the process where HuggingFace can't be reached
    "disable_streaming_logging": True,  # submits every chunk to a thread pool, for callbacks that there are none of
}

# Fields of request bodies that providers know beyond OpenAI's own. See `_fields`.
_PROVIDER_FIELDS = frozenset(
    [
        "cached_content",
        "chat_template_kwargs",
        "citation_options",
        "context_management",
        "documents",
        "enable_thinking",
        "guardrailConfig",
        "include_reasoning",
        "include_server_side_tool_invocations",
        "min_p",
        "performanceConfig",
        "priority",
        "reasoning",
        "repetition_penalty",
        "requestMetadata",
        "safety_mode",
        "safety_settings",
        "search_parameters",
        "strict_tools",
        "thinking",
        "top_a",
        "top_k",
    ]
)

# Meant for OpenAI's own stored completions; LiteLLM takes it for instructions to itself.
_DROPPED_FIELDS = frozenset(["metadata"])

# What goes into every call.
_ALWAYS: dict[str, Any] = {
    # retries are the gateway's to decide, where the deadline is known
    "num_retries": 0,
    "max_retries": 0,
    # else a request with tools imports the proxy's MCP client, which is not installed
    "_skip_mcp_handler": True,
}

# Providers whose first call loads further modules, with a model of theirs and how to call it.
_WARM_UP: dict[str, tuple[str, dict[str, str]]] = {
    "anthropic": ("claude", {"api_base": "{address}", "api_key": "-"}),
    "azure": ("gpt", {"api_base": "{address}", "api_key": "-", "api_version": "2024-10-21"}),
    "bedrock": (
        "converse/anthropic.claude",
        {
            "aws_bedrock_runtime_endpoint": "{address}",
            "aws_access_key_id": "-",
            "aws_secret_access_key": "-",
            "aws_region_name": "us-east-1",
        },
    ),
    "cohere": ("command", {"api_base": "{address}", "api_key": "-"}),
    "gemini": ("gemini", {"api_base": "{address}", "api_key": "-"}),
}

# Providers whose API is so unlike OpenAI's that tool calls and schemas are taken apart for them.
_TRANSLATED = frozenset(["anthropic", "bedrock", "gemini", "vertex_ai"])

# What of LiteLLM's price table the endpoints can ask for.
_MODES = frozenset(["chat", "completion", "embedding"])

_TICK_SECONDS = 0.25
_TURN_SECONDS = 0.0005


class _Sdk:
    """LiteLLM, imported once in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = False
        self._done = threading.Event()
        self._module: Any = None

    def start(self, settings: Settings) -> None:
        """Begin, unless that was done before."""
        with self._lock:
            if self._started:
                return
            self._started = True
        threading.Thread(target=self._run, args=(settings,), name="import litellm", daemon=True).start()

    def wait(self) -> None:
        """Return once the module is there, or can't be."""
        self._done.wait()

    def get(self, call: Call, attempt: Attempt) -> Any:
        """The module, as soon as it is there."""
        while not self._done.wait(_TICK_SECONDS):
            call.request.check_wanted()
            if attempt.deadline.has_passed():
                raise ApiError(
                    504, "The gateway had not finished starting in time. Try again.", code="gateway_starting"
                )
        if self._module is None:
            raise ApiError(
                500,
                f"The model '{call.model}' can't be served: the gateway could not load LiteLLM. Its log says"
                " why.",
                code="gateway_misconfigured",
            )
        return self._module

    def _run(self, settings: Settings) -> None:
        # Collection off: it would scan, again and again, modules that stay. Short turns: whoever answers requests
        # meanwhile would else wait a full one for the import each time it has read or written.
        collecting, turn = gc.isenabled(), sys.getswitchinterval()
        began = time.monotonic()
        gc.disable()
        sys.setswitchinterval(_TURN_SECONDS)
        try:
            self._module = _load(settings)
            log("info", "litellm loaded", ms=round((time.monotonic() - began) * 1000))
        except BaseException as error:
            log(
                "error",
                "LiteLLM could not be loaded; its models answer with an error",
                reason=str(error),
                exception=True,
            )
        finally:
            gc.freeze()
            sys.setswitchinterval(turn)
            if collecting:
                gc.enable()
            self._done.set()


_sdk = _Sdk()


def prepare(settings: Settings) -> None:
    """Begin to import the SDK in the background. See `Lane.prepare`.

    Lambda freezes an environment that it keeps ready, or takes a snapshot of, as soon as it is: there it is waited for.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    _sdk.start(settings)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") in ("provisioned-concurrency", "snap-start"):
        _sdk.wait()


def send(call: Call, attempt: Attempt) -> Response:
    """Have the SDK answer a call. See `Lane.send`."""
    litellm = _sdk.get(call, attempt)
    from pennyworth.gateway.lanes.transport import CallScope, Interrupted

    upstream = attempt.upstream
    bridge, function = _find_bridge(call.endpoint), call.endpoint.litellm_function
    fields = without_controls(call.body.fields, keep_metadata=True)
    if bridge:
        _require_content(call.endpoint, fields)
        arguments = _connection(call, attempt)
    else:
        arguments = _arguments(litellm, call, attempt)
    attempt.deadline.touch()

    def check() -> None:
        call.request.check_wanted()
        if attempt.deadline.has_passed():
            raise timed_out(upstream, attempt.deadline.describe(), sent=scope.sent)

    scope = CallScope(
        check,
        touch=attempt.deadline.touch,
        connect=attempt.connect_seconds,
        redirected=partial(redirected, upstream),
        refused=partial(told_error, upstream),
        unusable=partial(unusable, upstream),
        streaming=call.stream,
    )
    try:
        with scope:
            answer = bridge.call(fields, arguments) if bridge else getattr(litellm, function)(**arguments)
            # A status can be told only while nothing has been sent, and some providers fail with their first event.
            first = next(answer, None) if call.stream else None
    except Interrupted as interrupted:
        scope.close()
        raise interrupted.reason from None
    except Exception as error:
        failure = _failure(error, upstream, answered=scope.answered)
        scope.close()
        raise failure from error
    except BaseException:
        scope.close()
        raise
    told = _told(upstream, scope)
    if not call.stream:
        scope.finish()
        document = {**bridge.document(answer), "model": call.model} if bridge else _document(answer, call)
        return Response(200, [*JSON, *told], _encode(document))
    headers = [("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache"), *told]
    write = bridge.events if bridge else _events
    body = _stream(write(_watched(answer, first, scope), call.model), scope, call, attempt)
    next(body)  # only a generator that has begun does anything when it is closed
    return Response(200, headers, body)


def _told(upstream: Upstream, scope: "CallScope") -> Headers:
    """The provider's limits and request id, by its own names for them and by those of LiteLLM's proxy."""
    kept = kept_headers(upstream, scope.headers)
    return [*kept, *((f"llm_provider-{name}", value) for name, value in kept)]


def models(upstream: Upstream) -> list[str]:
    """The provider's models in LiteLLM's own price table, read as a file. See `Lane.models`."""
    provider = upstream.deployment.provider
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return []
    table = Path(spec.submodule_search_locations[0]) / "model_prices_and_context_window_backup.json"
    try:
        entries = json.loads(table.read_bytes())
    except (OSError, ValueError):
        return []
    names = {
        name.removeprefix(f"{provider}/")
        for name, entry in entries.items()
        if entry.get("mode") in _MODES and _provider(entry["litellm_provider"]) == provider
    }
    return sorted(names)


def _provider(entry: str) -> str:
    """A provider's name as a model carries it, from the finer one that the price table has."""
    if entry.startswith("vertex_ai-"):
        return "vertex_ai"
    return {"bedrock_converse": "bedrock", "cohere_chat": "cohere"}.get(entry, entry)


def _load(settings: Settings) -> Any:
    for variable, text in {**_ENVIRONMENT, **bounds.ENVIRONMENT}.items():
        os.environ.setdefault(variable, text)
    litellm: Any = importlib.import_module("litellm")
    set_up(litellm, settings)
    importlib.import_module("pennyworth.gateway.lanes.transport").install()
    bounds.bind()
    try:
        _warm_up(litellm, {deployment.provider for deployment in settings.config.deployments})
    except Exception:
        log("warning", "LiteLLM could not be warmed up; first calls take longer", exception=True)
    return litellm


def set_up(litellm: Any, settings: Settings) -> None:
    """Set on the SDK's module what the gateway needs and what the configuration wants of it."""
    asked = settings.config.litellm_settings
    values = {name: asked[name] for name in SDK_SETTINGS & asked.keys()}
    for name, value in {**values, **_SETTINGS, "drop_params": settings.config.drop_params}.items():
        setattr(litellm, name, value)


def _warm_up(litellm: Any, providers: set[str]) -> None:
    """Do once what the first call would otherwise do: load the modules that LiteLLM leaves for later."""
    messages = [{"role": "user", "content": "-"}]
    mocked = {"model": "anthropic/warm-up", "messages": messages, "mock_response": "-"}
    # A mock tells no usage, and counting its tokens would load tokenizers: 35 to 70 MB. Off for good, streams of
    # providers that tell none would end with a usage of 0 tokens, which is wrong rather than absent; where a provider
    # tells its usage, as all but a few do, they are never loaded.
    litellm.disable_token_counter = True
    try:
        litellm.completion(**mocked)
        for _ in litellm.completion(**mocked, stream=True):
            pass
    finally:
        litellm.disable_token_counter = False
    with socket.socket() as nobody:
        # bound and not listening, it refuses connections: nothing leaves this machine
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        for provider in sorted(providers & _WARM_UP.keys()):
            model, connection = _WARM_UP[provider]
            settings = {name: value.format(address=address) for name, value in connection.items()}
            with suppress(Exception):  # the refusal
                litellm.completion(model=f"{provider}/{model}", messages=messages, **settings, **_ALWAYS)


def _arguments(litellm: Any, call: Call, attempt: Attempt) -> dict[str, Any]:
    """What goes to the SDK: the configuration's parameters and, of the request, the fields that may pass.

    LiteLLM takes request fields, credentials, addresses and switches of its own through the same keywords, and each
    provider's code takes further ones (`custom_endpoint`, `oci_endpoint_id` ...). A list of what must not pass would be
    wrong with the next release, so what may pass is named: OpenAI's own fields, as its SDK's types give them, the
    providers' fields that are reviewed above, and what the operator allows.

    Raises:
        ApiError: 400 for any other field, unless drop_params is set, and for a request without content.
    """
    endpoint, deployment = call.endpoint, attempt.deployment
    # the SDK writes into what it is given, and refuses what another endpoint's presets are
    presets = {
        name: value for name, value in deployment.params.items() if name not in PRESETS - endpoint.presets
    }
    params = copy.deepcopy(presets)
    given = {
        name: value
        for name, value in without_controls(call.body.fields).items()
        if name not in _DROPPED_FIELDS
    }
    if endpoint.content_field == "messages":
        _check_conversation(given, translated=deployment.provider in _TRANSLATED)
    else:
        _require_content(endpoint, given)
    # what steers LiteLLM is the operator's to say and not to allow: a caller's address would get the operator's key
    allowed = {name for name in params.get("allowed_openai_params") or () if not is_control(name)}
    own = _openai_fields(endpoint.fields_type) | allowed | {"stream"}
    unknown = sorted(given.keys() - own - _PROVIDER_FIELDS)
    if call.asked.drop:
        params["drop_params"] = True
    if unknown and not (litellm.drop_params or read_flag(params.get("drop_params"))):
        raise ApiError(
            400,
            f"Unrecognized request argument supplied: {', '.join(unknown)}. Leave it out; whoever runs this gateway can"
            " allow it (litellm_params.allowed_openai_params) or have such fields dropped"
            " (litellm_settings.drop_params).",
            code="unknown_parameter",
            param=unknown[0],
        )
    arguments = {
        **{name: value for name, value in given.items() if name in _PROVIDER_FIELDS},
        **params,  # after the providers' fields: what an operator presets among those may be a guardrail
        **{name: value for name, value in given.items() if name in own},
        "model": f"{deployment.provider}/{deployment.model}",
        **_ALWAYS,
    }
    if attempt.forwarded:
        arguments["extra_headers"] = add_forwarded(params.get("extra_headers") or {}, attempt.forwarded)
    if endpoint.name == "embeddings":
        # providers give numbers, and `_document` makes of them what was asked for
        arguments.pop("encoding_format", None)
    else:
        arguments["stream"] = call.stream
    return arguments


def _find_bridge(endpoint: Endpoint) -> "Bridge | None":
    if not endpoint.native:
        return None
    from pennyworth.gateway.lanes.bridges import BRIDGES

    return BRIDGES[endpoint.native]


def _connection(call: Call, attempt: Attempt) -> dict[str, Any]:
    """What goes to the SDK of a deployment, for a translation: what the provider lacks is left out."""
    deployment = attempt.deployment
    params = {name: value for name, value in deployment.params.items() if name not in PRESETS}
    arguments = {
        **copy.deepcopy(params),
        **attempt.upstream.connection,
        # the gateway's name for a server of one's own, which the SDK does not know
        "model": f"{deployment.provider.replace('openai_like', 'openai')}/{deployment.model}",
        "stream": call.stream,
        "drop_params": True,
        **_ALWAYS,
    }
    if attempt.forwarded:
        arguments["extra_headers"] = add_forwarded(params.get("extra_headers") or {}, attempt.forwarded)
    return arguments


def _check_conversation(given: Mapping[str, Any], *, translated: bool) -> None:
    """See that LiteLLM can translate a conversation, and make of a call's missing arguments what providers want."""
    from pennyworth.gateway.lanes.fields import check_fields
    from pennyworth.gateway.lanes.messages import check_messages

    check_messages(given.get("messages"), strict_tools=translated)
    check_fields(given, strict_tools=translated)
    if translated:
        for message in given["messages"]:
            for call in message.get("tool_calls") or ():
                if not (call["function"].get("arguments") or "").strip():
                    call["function"]["arguments"] = "{}"


def _require_content(endpoint: Endpoint, given: Mapping[str, Any]) -> None:
    name = endpoint.content_field
    content = given.get(name)
    if not isinstance(content, (str, list)) or not content:
        raise ApiError(
            400,
            f"The field '{name}' must be a text, or a list of them.",
            code="missing_required_parameter",
            param=name,
        )


@cache
def _openai_fields(place: str) -> frozenset[str]:
    module, _, name = place.rpartition(".")
    return frozenset(getattr(importlib.import_module(f"openai.types.{module}"), name).__annotations__)


def _document(answer: Any, call: Call) -> dict[str, Any]:
    """A whole answer as OpenAI's API has it."""
    document: dict[str, Any] = answer.model_dump(exclude_none=True)
    if "model" in document:
        document["model"] = call.model
    if call.endpoint.name == "embeddings":
        if call.body.fields.get("encoding_format") == "base64":
            for item in document["data"]:
                item["embedding"] = _base64(item["embedding"])
    else:
        for choice in document["choices"]:
            if message := choice.get("message"):
                message.setdefault("content", None)  # OpenAI's clients expect it, null beside tool calls
                for tool_call in message.get("tool_calls") or ():
                    if not tool_call["function"].get("arguments"):
                        tool_call["function"]["arguments"] = "{}"
    return document


def _encode(document: Mapping[str, Any]) -> bytes:
    """A document as JSON. Half of a surrogate pair, which some models write, only an escape can carry."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def _base64(embedding: Any) -> Any:
    """Numbers as OpenAI packs them, 32-bit little-endian; what the provider packed itself stays."""
    if not isinstance(embedding, list):
        return embedding
    from base64 import b64encode
    from struct import pack

    return b64encode(pack(f"<{len(embedding)}f", *embedding)).decode()


def _watched(answer: Iterator[Any], first: Any, scope: "CallScope") -> Iterator[Any]:
    """What the SDK gives of a stream, each part of it waited for within the call's bounds."""
    part = first
    while part is not None:
        yield part
        with scope:
            part = next(answer, None)


def _stream(
    events: Iterator[bytes], scope: "CallScope", call: Call, attempt: Attempt
) -> Generator[bytes, None, None]:
    from pennyworth.gateway.lanes.transport import Interrupted

    event = b""
    try:
        yield b""
        for event in events:
            yield event
        if not dialect(call.endpoint.dialect).ends(
            event
        ):  # LiteLLM's translations end where the provider broke off
            raise broken(attempt.upstream)
        scope.finish()
    except Interrupted as interrupted:
        raise interrupted.reason from None
    except ApiError:
        raise
    except Exception as error:
        raise _failure(error, attempt.upstream, answered=True) from error
    finally:
        scope.close()


def _events(chunks: Iterator[Any], model: str) -> Iterator[bytes]:
    """A stream's events as OpenAI's API has them."""
    tools = _ToolArguments()
    for chunk in chunks:
        document = _chunk(chunk, model)
        if lacking := tools.see(document):
            yield _event(lacking)
        yield _event(document)
    yield b"data: [DONE]\n\n"


def _chunk(chunk: Any, model: str) -> dict[str, Any]:
    """A chunk of LiteLLM's as OpenAI's API has it."""
    usage = getattr(chunk, "usage", None)
    # LiteLLM gives each chunk of a completion a usage of nothing
    without = {"usage"} if usage and not usage.total_tokens else None
    if usage and not without:
        chunk.choices = []  # as OpenAI's last chunk has it; LiteLLM leaves an empty choice there
    document: dict[str, Any] = chunk.model_dump(exclude_none=True, exclude_unset=True, exclude=without)
    document["model"] = model
    for choice in document.get("choices") or ():
        choice.setdefault("finish_reason", None)
    return document


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: %b\n\n" % _encode(document)


class _ToolArguments:
    """Gives tool calls without arguments `{}`, which clients can parse."""

    def __init__(self) -> None:
        self._without: dict[tuple[int, int], bool] = {}

    def see(self, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Look at a chunk; what has to go out before it."""
        lacking = []
        for choice in document.get("choices") or ():
            index = choice.get("index", 0)
            for call in (choice.get("delta") or {}).get("tool_calls") or ():
                place = index, call.get("index", 0)
                given = bool((call.get("function") or {}).get("arguments"))
                self._without[place] = self._without.get(place, True) and not given
            if choice["finish_reason"] is not None:
                calls = [
                    {"index": number, "function": {"arguments": "{}"}}
                    for (of, number), without in self._without.items()
                    if of == index and without
                ]
                if calls:
                    lacking.append({"index": index, "delta": {"tool_calls": calls}, "finish_reason": None})
        return {**document, "choices": lacking} if lacking else None


def _failure(error: Exception, upstream: Upstream, *, answered: bool) -> ApiError:
    """What the client is told of an exception of the SDK's: whoever caused it.

    Args:
        error: what the SDK raised.
        upstream: where the call goes.
        answered: whether the upstream answered anything.

    LiteLLM's own message is a last resort: it wraps the provider's in the names of its classes, and in tracebacks. What
    happened stands at the bottom of the chain of causes.
    """
    httpx: Any = importlib.import_module("httpx")
    chain = list(_causes(error))
    for cause in reversed(chain):
        if isinstance(cause, httpx.HTTPStatusError):
            response, content = cause.response, b""
            with suppress(httpx.StreamError):  # of a stream, only what LiteLLM has read is there
                content = response.content
            return upstream_error(upstream, response.status_code, response.headers.items(), content)
        if isinstance(cause, httpx.ConnectError):
            sent = isinstance(cause.__cause__, Unreachable) and cause.__cause__.sent
            return unreachable(upstream, str(cause), sent=sent)
        if isinstance(cause, httpx.UnsupportedProtocol):
            return unsendable(upstream, str(cause))
        if isinstance(cause, httpx.TransportError):
            return broken(upstream)
    for cause in reversed(chain) if answered else ():  # else it is LiteLLM that speaks, to whoever runs it
        status = getattr(cause, "status_code", None)
        if type(cause).__module__.startswith("litellm.llms.") and isinstance(status, int) and status >= 400:
            if status == 422:  # LiteLLM's own for what it can't read: a provider's has been found above
                break
            # an error that came within a stream
            return upstream_error(upstream, status, (), _plain(str(cause)))
        if type(cause).__module__.startswith("openai") and type(cause).__name__ == "APIError":
            return upstream_error(upstream, 502, (), _plain(str(cause)))
    deployment = upstream.deployment
    name = type(error).__name__
    if name == "UnsupportedParamsError":
        named = re.search(r"parameters: \[([^\]]*)\]", str(error))
        fields = named[1].replace("'", "") if named else ""
        return ApiError(
            400,
            f"The provider '{deployment.provider}' of the model '{deployment.name}' does not take"
            f" {fields or 'one of these fields'}. Leave it out.",
            code="unsupported_parameter",
            param=fields.partition(",")[0] or None,
        )
    # what it says may quote the conversation
    cause = chain[-1]
    log(
        "error",
        "LiteLLM failed",
        model=deployment.name,
        reason=type(cause).__name__,
        where=_origin(cause),
        answered=answered,
    )
    if name == "AuthenticationError" and not answered:
        return ApiError(
            500,
            f"The gateway lacks the credentials of '{deployment.provider}' for the model '{deployment.name}', or can't"
            " use them. Its log says more.",
            code="gateway_misconfigured",
        )
    if answered:
        return unusable(upstream, "LiteLLM can't read it")
    return ApiError(
        400,
        f"The request can't be translated for the provider '{deployment.provider}' of the model '{deployment.name}'."
        " Check its fields against OpenAI's API reference.",
        code="invalid_request",
    )


def _origin(error: BaseException) -> str:
    """Where an exception was raised, such as `factory.py:1234`."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    return f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what led to it, outermost first."""
    seen: set[int] = set()
    while error and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _plain(message: str) -> bytes:
    """A provider's message out of LiteLLM's: without names of exceptions before it, and a JSON document by itself."""
    message = re.sub(
        r"^(litellm\.)?(\w+(Error|Exception)( \w+Error)?)(: | - | )", "", message.partition("\nTraceback")[0]
    )
    message = re.sub(r"\.? ?Handle with `litellm\.\w+`\.?", "", message)
    return message.encode()
