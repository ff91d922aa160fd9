"""MiniStack with the gaps filled that a streaming function behind a REST API falls into.

MiniStack is wrapped in its own process, never edited. `apply()` holds every place that is reached into; the names are
private, so the version is pinned in requirements/localaws.in and each place has a test.
"""

import asyncio
import inspect
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core import lambda_runtime, responses  # type: ignore[import-not-found,unused-ignore]
from ministack.services import (  # type: ignore[import-not-found,unused-ignore]
    apigateway_v1,
    cloudwatch_logs,
    lambda_svc,
)

from pennyworth.localaws.functions import Function, Functions, Log, Report
from pennyworth.localaws.runtime_api import FunctionError, Invocation, Receiver

logger = logging.getLogger("pennyworth.localaws")

STREAMING_URI = "/response-streaming-invocations"
MAX_EVENT_BYTES = 6 * 1024 * 1024 + 100
"""Lambda's limit for a synchronous invocation's payload."""
MAX_PRELUDE_BYTES = 16 * 1024
DELIMITER = b"\0" * 8
IDLE_SECONDS = 300.0
"""A streamed response that is silent for this long is cut, on regional APIs."""
HOP_BY_HOP = frozenset({"transfer-encoding", "content-length", "keep-alive"})
REMAPPED = frozenset({"connection", "date", "server", "www-authenticate"})
"""Response headers that a REST API passes on as x-amzn-remapped-NAME."""

Response = tuple[int, dict[str, Any], Any]
Call = Callable[..., Any]


def apply(functions: Functions, endpoint: str) -> None:
    """Fill MiniStack's gaps.

    Args:
        functions: what runs Lambda functions of Python runtimes.
        endpoint: this AWS's URL, for the functions' own calls.
    """
    lambdas = _Lambdas(functions, endpoint)
    for module, name, around in (
        (apigateway_v1, "_import_path_item", _any_method),
        (apigateway_v1, "_import_operation", _integration_settings),
        (apigateway_v1, "_media_type_matches", _every_media_type),
        (apigateway_v1, "_invoke_lambda_proxy_v1", lambdas.streamed),
        (lambda_svc, "_execute_function_dispatch", lambdas.buffered),
        (lambda_svc, "invalidate_worker", lambdas.forgotten),
    ):
        setattr(module, name, _wrapped(getattr(module, name), around))


def _wrapped(original: Call, around: Call) -> Call:
    """The original with another function around it, which takes it and its arguments by name."""
    signature = inspect.signature(original)

    def call(*args: Any, **kwargs: Any) -> Any:
        return around(original, signature.bind(*args, **kwargs))

    return call


def _any_method(original: Call, bound: inspect.BoundArguments) -> None:
    """`x-amazon-apigateway-any-method` of an OpenAPI path is a method named ANY."""
    original(*bound.args, **bound.kwargs)
    given = bound.arguments
    if operation := given["path_item"].get("x-amazon-apigateway-any-method"):
        resources = apigateway_v1._resources[given["api_id"]]
        resource_id = next(key for key, one in resources.items() if one["path"] == given["path"])
        apigateway_v1._import_operation(
            given["api_id"],
            resource_id,
            "ANY",
            operation,
            given.get("scheme_map"),
            given.get("default_security"),
        )


def _integration_settings(original: Call, bound: inspect.BoundArguments) -> None:
    """An imported integration keeps its timeout and its response transfer mode."""
    original(*bound.args, **bound.kwargs)
    given = bound.arguments
    integration = (given["operation"] or {}).get("x-amazon-apigateway-integration") or {}
    method = apigateway_v1._resources[given["api_id"]][given["resource_id"]]["resourceMethods"][given["http_method"]]
    if method["methodIntegration"]:
        method["methodIntegration"].update(
            {name: integration[name] for name in ("timeoutInMillis", "responseTransferMode") if name in integration}
        )


def _every_media_type(original: Call, bound: inspect.BoundArguments) -> bool:
    """Binary media types may be written as JSON pointers (`*~1*`), and `*/*` holds for bodies without a type too."""
    kinds = [kind.replace("~1", "/") for kind in bound.arguments["binary_media_types"] or []]
    return "*/*" in kinds or bool(original(bound.arguments["media_type"], kinds))


class _Lambdas:
    """MiniStack's calls of Python functions, carried out by execution environments of ours."""

    def __init__(self, functions: Functions, endpoint: str) -> None:
        self._functions = functions
        self._endpoint = endpoint

    def streamed(self, original: Call, bound: inspect.BoundArguments) -> Awaitable[Response]:
        """A proxy integration: streamed where its URI says so."""
        if bound.arguments["integration"].get("uri", "").endswith(STREAMING_URI):
            return self._stream(**bound.arguments)
        answer: Awaitable[Response] = original(*bound.args, **bound.kwargs)
        return answer

    def buffered(self, original: Call, bound: inspect.BoundArguments) -> Any:
        """An invocation whose whole result is wanted: Invoke, and buffered integrations."""
        given = bound.arguments
        func, config = given["func"], given["config"]
        if not config.get("Runtime", "").startswith("python") or not func.get("code_zip"):
            return original(*bound.args, **bound.kwargs)
        parts: list[bytes] = []
        report = self._run(func, config, json.dumps(given["event"]).encode(), _collector(parts))
        if report.error:
            return {"body": report.error.payload(), "error": True, "log": report.log}
        payload = b"".join(parts)
        try:
            return {"body": json.loads(payload), "log": report.log}
        except ValueError:
            return {"body": payload.decode(errors="replace"), "raw_payload": True, "log": report.log}

    def forgotten(self, original: Call, bound: inspect.BoundArguments) -> None:
        """A function has changed or gone."""
        original(*bound.args, **bound.kwargs)
        given = bound.arguments
        account = given.get("account") or responses.get_account_id()
        region = given.get("region") or responses.get_region()
        self._functions.discard(f"arn:aws:lambda:{region}:{account}:function:{given['func_name']}")

    async def _stream(
        self,
        *,
        integration: dict[str, Any],
        api_id: str,
        stage_name: str,
        stage: dict[str, Any],
        resource: dict[str, Any],
        request_path: str,
        method: str,
        headers: dict[str, Any],
        body: bytes,
        query_params: dict[str, list[str]],
        path_params: dict[str, str],
        owner_account_id: str | None = None,
        owner_region: str | None = None,
        binary_media_types: list[str] | None = None,
        **caller: Any,
    ) -> Any:
        """Answer with what the function streams: metadata first, then each chunk as it comes."""
        reference = integration["uri"].partition("/functions/")[2].removesuffix(STREAMING_URI)
        func, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
            reference, account_id=owner_account_id, region=owner_region
        )
        if func is None or config is None:
            return apigateway_v1._gw_error("API_CONFIGURATION_ERROR", "Internal server error")
        event = apigateway_v1._build_lambda_event_v1(
            api_id,
            stage_name,
            stage,
            resource,
            request_path,
            method,
            headers,
            body,
            query_params,
            path_params,
            binary_media_types=binary_media_types,
            **caller,
        )
        payload = json.dumps(event, separators=(",", ":")).encode()
        if len(payload) > MAX_EVENT_BYTES:
            return apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
        slot, _ = lambda_svc._acquire_execution_slot(func, config)
        if slot is None:
            return apigateway_v1._gw_error("THROTTLED", "Too Many Requests")
        channel = _Channel()
        record = lambda_svc._execution_record_for_config(func, config)

        def run() -> None:
            try:
                report = self._run(record, config, payload, channel.put, arn=reference)
            finally:
                lambda_svc._release_execution_slot(slot)
            with responses.request_scope(*_scope(config)):
                lambda_svc._emit_lambda_metrics(
                    config["FunctionName"],
                    duration_ms=report.duration * 1000,
                    error=bool(report.error),
                    throttle=False,
                )

        threading.Thread(target=run, daemon=True, name="invocation").start()
        try:
            async with asyncio.timeout(integration.get("timeoutInMillis", 29000) / 1000):
                status, metadata, first = await _metadata(channel)
        except TimeoutError:
            channel.close()
            return apigateway_v1._gw_error("INTEGRATION_TIMEOUT", "Endpoint request timed out")
        except (FunctionError, ValueError) as error:
            channel.close()
            logger.warning("%s %s: the function %s gave no response: %s", method, request_path, reference, error)
            return _bad_gateway(
                {
                    "api_id": api_id,
                    "stage_name": stage_name,
                    "stage": stage,
                    "headers": headers,
                    "query_params": query_params,
                    "path_params": path_params or {},
                    "resource_path": resource["path"],
                    "request_id": event["requestContext"]["requestId"],
                }
            )
        return status, metadata, responses.StreamingResponse(_sender(channel, first))

    def _run(
        self, func: dict[str, Any], config: dict[str, Any], event: bytes, receive: Receiver, *, arn: str | None = None
    ) -> Report:
        """Run an invocation in an environment of its own; `arn` is how it was named, if not by its version."""
        account, region = _scope(config)
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        function = Function(
            name=config["FunctionName"],
            version=config.get("Version", "$LATEST"),
            arn=config["FunctionArn"],
            region=region,
            runtime=config["Runtime"],
            handler=config["Handler"],
            memory=config.get("MemorySize", 128),
            timeout=config.get("Timeout", 3),
            log_group=group,
            layers=tuple(layer["Arn"] for layer in config.get("Layers") or []),
            variables=tuple(sorted(((config.get("Environment") or {}).get("Variables") or {}).items())),
            code_sha256=config["CodeSha256"],
            code=func["code_zip"],
        )

        def log(stream: str) -> Log:
            return lambda line: _log(account, region, group, stream, line)

        with responses.request_scope(account, region):
            variables = {**lambda_runtime.execution_credentials(config), "AWS_ENDPOINT_URL": self._endpoint}
        invocation = Invocation(event, receive, arn or function.arn)
        return self._functions.invoke(function, invocation, log=log, variables=variables)


class _Channel:
    """Carries a response from a function's thread to the event loop, and holds the function back when it is full."""

    CAPACITY = 64

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self._room = threading.Semaphore(self.CAPACITY)
        self._closed = False

    def put(self, item: bytes | BaseException | None) -> None:
        """From a thread: pass on a chunk, the end (None) or the error that ended it."""
        self._room.acquire()
        if self._closed:
            self._room.release()
        else:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)

    async def get(self) -> bytes | None:
        """The next chunk; None at the end.

        Raises:
            FunctionError: the response broke off.
        """
        item = await self._queue.get()
        self._room.release()
        if isinstance(item, BaseException):
            raise item
        return item

    def interrupt(self, error: BaseException) -> None:
        """From the event loop: raise an error out of get(), ahead of nothing."""
        self._queue.put_nowait(error)

    def close(self) -> None:
        """Nobody listens any more: the function runs on, and what it says is dropped."""
        self._closed = True
        self._room.release()


async def _metadata(channel: _Channel) -> tuple[int, dict[str, Any], bytes]:
    """Read a streamed response's metadata.

    Returns:
        status, headers, and what has come of the body.
    Raises:
        FunctionError: the function failed first.
        ValueError: there is no proper metadata, which API Gateway answers with 502.
    """
    head = b""
    while DELIMITER not in head:
        chunk = await channel.get()
        if chunk is None or len(head) > MAX_PRELUDE_BYTES:
            raise ValueError("no metadata and delimiter at the start of the response")
        head += chunk
    prelude, _, rest = head.partition(DELIMITER)
    metadata = json.loads(prelude)
    headers: dict[str, Any] = {}
    for name, value in (metadata.get("headers") or {}).items():
        if not isinstance(value, str):
            raise ValueError(f"the header {name} has several values, which API Gateway does not take")
        if name.lower() not in HOP_BY_HOP:
            headers[f"x-amzn-remapped-{name.lower()}" if name.lower() in REMAPPED else name] = value
    for name, values in (metadata.get("multiValueHeaders") or {}).items():
        headers[name] = list(values)
    if cookies := metadata.get("cookies"):
        headers["Set-Cookie"] = list(cookies)
    return int(metadata.get("statusCode", 200)), headers, rest


def _sender(channel: _Channel, first: bytes) -> Callable[..., Awaitable[None]]:
    """What sends the body on, as an ASGI application does."""

    async def send_body(send: Call, receive: Call) -> None:
        watch = asyncio.ensure_future(_watch(receive, channel))
        try:
            if first:
                await send({"type": "http.response.body", "body": first, "more_body": True})
            while True:
                async with asyncio.timeout(IDLE_SECONDS):
                    chunk = await channel.get()
                if chunk is None:
                    break
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (FunctionError, TimeoutError, _Gone) as error:
            # the last frame stays unsent, so that the client sees a response that broke off
            logger.warning("a streamed response ended early: %s", error)
        finally:
            watch.cancel()
            channel.close()

    return send_body


class _Gone(Exception):
    """The client has hung up."""


async def _watch(receive: Call, channel: _Channel) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    channel.interrupt(_Gone("the client has hung up"))


def _bad_gateway(request: dict[str, Any]) -> Response:
    """API Gateway's answer for a function that failed or made no sense: 502, unless the API says otherwise."""
    error = apigateway_v1._GatewayError("DEFAULT_5XX", "Internal server error")
    status, headers, body = apigateway_v1._gateway_error_response(error, request)
    return (502 if status == 500 else status), headers, body


def _collector(parts: list[bytes]) -> Callable[[bytes | FunctionError | None], None]:
    def receive(item: bytes | FunctionError | None) -> None:
        if isinstance(item, bytes):
            parts.append(item)

    return receive


def _scope(config: dict[str, Any]) -> tuple[str, str]:
    """A function's account and region."""
    account, region = lambda_runtime._account_region_from_function_config(config)
    return str(account), str(region)


def _log(account: str, region: str, group: str, stream: str, line: str) -> None:
    """Write a line to CloudWatch Logs; Lambda makes group and stream where they are missing."""
    now = int(time.time() * 1000)
    with responses.request_scope(account, region):
        groups = cloudwatch_logs._log_groups
        if group not in groups:
            cloudwatch_logs._create_log_group({"logGroupName": group})
        if stream not in groups[group]["streams"]:
            cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
        cloudwatch_logs._put_log_events(
            {"logGroupName": group, "logStreamName": stream, "logEvents": [{"timestamp": now, "message": line}]}
        )
