"""Extends MiniStack with what a streaming function behind a REST API needs.

Wraps MiniStack's functions at runtime and never edits its files. `places` lists every function that is wrapped.
Their names are private, so requirements/localaws.in pins the version, and each one has a test.
"""

import asyncio
import inspect
import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, responses
from ministack.services import (
    apigateway_v1,
    cloudwatch_logs,
    iam,
    lambda_svc,
    sts,
)
from ministack.services.cloudformation import changesets as cloudformation_changesets
from ministack.services.cloudformation import provisioners, stacks

from pennyworth.local.aws import changesets, codedeploy, identity, provisioning, response_stream
from pennyworth.local.aws.functions import Function, Functions, Log, Report
from pennyworth.local.aws.recorder import Recorder
from pennyworth.local.aws.runtime_api import FunctionError, Invocation, Receiver
from pennyworth.local.aws.states import States

logger = logging.getLogger("pennyworth.local.aws")

TRACE_HEADER = "X-Amzn-Trace-Id"
STREAMING_URI = "/response-streaming-invocations"
MAX_EVENT_BYTES = 6 * 1024 * 1024 + 100
"""Lambda's payload limit for a synchronous invocation."""

_API_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?(?::\d+)?$")
_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?$")
_FRONT_PATH = re.compile(r"/(v1|health)(/|$)")

_domain_path: ContextVar[str] = ContextVar("domain_path", default="")
"""The path of a request at a custom domain, its base path included; empty at an API's own address."""

Call = Callable[..., Any]
Around = Callable[[Call, inspect.BoundArguments], Any]


def places(
    functions: Functions, endpoint: str, record: Path | None = None, front: str = ""
) -> list[tuple[ModuleType, str, Around]]:
    """List the wrapped functions of MiniStack: module, name and wrapper.

    Args:
        functions: runs Lambda functions with Python runtimes.
        endpoint: this AWS's URL, for the functions' own calls.
        record: the file to write calls to that IAM checks.
        front: the custom domain to serve at this AWS's own address too.
    """
    lambdas = _Lambdas(functions, endpoint)
    return [
        (apigateway_v1, "_import_rest_api", _api_settings),
        (apigateway_v1, "_import_path_item", _any_method),
        (apigateway_v1, "_import_operation", _integration_settings),
        (apigateway_v1, "_media_type_matches", _every_media_type),
        (apigateway_v1, "_invoke_lambda_proxy_v1", lambdas.streamed),
        (lambda_svc, "_execute_function_dispatch", lambdas.buffered),
        (lambda_svc, "invalidate_worker", lambdas.changed),
        (app, "pin_request_origin", _over_tls),
        (app, "_parse_execute_api_url", _own_address),
        (app, "_resolve_custom_domain_request", _fronted(front)),
        (app, "_handle_health_request", _own_health),
        (app, "_handle_admin_reset", States(functions).handled),
        (iam, "handle_request", identity.handled),
        (iam_actions, "extract_resource_arn", identity.resource),
        (iam_actions, "request_tag_context", identity.context),
        (iam_actions, "_lambda_action", identity.lambda_action),
        (sts, "_web_identity_principal", identity.web_identity),
        (sts, "_web_identity_trust_denied", identity.web_identity_denied),
        (stacks, "_property_recreation", changesets.recreation),
        (cloudformation_changesets, "_resolve_props_for_diff", changesets.made),
        *([(iam_evaluator, "enforce", Recorder(record).judged)] if record else []),
    ]


def apply(functions: Functions, endpoint: str, record: Path | None = None, front: str = "") -> None:
    """Wrap MiniStack's functions in this process. The arguments are those of `places`."""
    for module, name, around in places(functions, endpoint, record, front):
        setattr(module, name, _wrapped(getattr(module, name), around))
    for added in (provisioning, codedeploy):
        provisioners._RESOURCE_HANDLERS.update(added.resource_types())


def _wrapped(original: Call, around: Around) -> Call:
    signature = inspect.signature(original)

    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return around(original, bound)

    return call


def _api_settings(original: Call, bound: inspect.BoundArguments) -> str:
    """Keep an imported API's gateway responses and binary media types."""
    api_id = str(original(*bound.args, **bound.kwargs))
    spec = bound.arguments["spec"]
    for kind, response in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
        apigateway_v1._put_gateway_response(api_id, kind, response)
    if kinds := spec.get("x-amazon-apigateway-binary-media-types"):
        apigateway_v1._rest_apis[api_id]["binaryMediaTypes"] = list(kinds)
    return api_id


def _over_tls(original: Call, bound: inspect.BoundArguments) -> None:
    """Treat loopback as TLS (aws:SecureTransport), because buckets for packages refuse plain HTTP."""
    bound.arguments["secure_transport"] = True
    original(*bound.args, **bound.kwargs)


def _own_address(original: Call, bound: inspect.BoundArguments) -> Any:
    """Recognise an API's own address by its Host header, like a custom domain."""
    if found := _API_HOST.match(bound.arguments["host"]):
        bound.arguments["host"] = f"{found[1]}.execute-api.{app._MINISTACK_HOST}"
    return original(*bound.args, **bound.kwargs)


def _fronted(domain: str) -> Around:
    """Serve a custom domain at this AWS's own address too, under the paths of an OpenAI-compatible endpoint."""

    def resolve(original: Call, bound: inspect.BoundArguments) -> Any:
        given = bound.arguments
        if domain and _LOOPBACK_HOST.match(given["host"]) and _FRONT_PATH.match(given["path"]):
            given["host"] = domain
        found = original(*bound.args, **bound.kwargs)
        _domain_path.set(given["path"] if found else "")
        return found

    return resolve


def _own_health(original: Call, bound: inspect.BoundArguments) -> Any:
    """Leave /health to the APIs. MiniStack's own health page is also at /_ministack/health."""
    return original(*bound.args, **bound.kwargs) if bound.arguments["path"].startswith("/_") else None


def _any_method(original: Call, bound: inspect.BoundArguments) -> None:
    """Import `x-amazon-apigateway-any-method` as a method named ANY."""
    original(*bound.args, **bound.kwargs)
    given = bound.arguments
    if operation := given["path_item"].get("x-amazon-apigateway-any-method"):
        paths = {one["path"]: key for key, one in apigateway_v1._resources[given["api_id"]].items()}
        apigateway_v1._import_operation(
            given["api_id"],
            paths[given["path"]],
            "ANY",
            operation,
            given["scheme_map"],
            given["default_security"],
        )


def _integration_settings(original: Call, bound: inspect.BoundArguments) -> None:
    """Keep an imported integration's timeout and response transfer mode."""
    original(*bound.args, **bound.kwargs)
    given = bound.arguments
    told = (given["operation"] or {}).get("x-amazon-apigateway-integration") or {}
    methods = apigateway_v1._resources[given["api_id"]][given["resource_id"]]["resourceMethods"]
    if integration := methods[given["http_method"]]["methodIntegration"]:
        kept = ("timeoutInMillis", "responseTransferMode")
        integration.update({name: told[name] for name in kept if name in told})


def _every_media_type(original: Call, bound: inspect.BoundArguments) -> bool:
    """Accept media types as JSON pointers (`*~1*`), and let `*/*` match bodies without a type."""
    kinds = [kind.replace("~1", "/") for kind in bound.arguments["binary_media_types"] or []]
    return "*/*" in kinds or bool(original(bound.arguments["media_type"], kinds))


class _Lambdas:
    """Runs MiniStack's invocations of Python functions in our execution environments."""

    def __init__(self, functions: Functions, endpoint: str) -> None:
        self._functions = functions
        self._endpoint = endpoint

    def streamed(self, original: Call, bound: inspect.BoundArguments) -> Awaitable[Any]:
        """Answer a proxy integration, streamed if its URI says so."""
        if bound.arguments["integration"].get("uri", "").endswith(STREAMING_URI):
            return self._stream(bound.arguments)
        answer: Awaitable[Any] = original(*bound.args, **bound.kwargs)
        return answer

    def buffered(self, original: Call, bound: inspect.BoundArguments) -> Any:
        """Run an invocation with a buffered result: Invoke, and buffered integrations."""
        given = bound.arguments
        func, config = given["func"], given["config"]
        if not config.get("Runtime", "").startswith("python") or not func.get("code_zip"):
            return original(*bound.args, **bound.kwargs)
        parts: list[bytes] = []

        def receive(item: bytes | FunctionError | None) -> None:
            if isinstance(item, bytes):
                parts.append(item)

        report = self._run(func, config, json.dumps(given["event"]).encode(), receive)
        if report.error:
            return {"body": report.error.payload(), "error": True, "log": report.log}
        payload = b"".join(parts)
        try:
            return {"body": json.loads(payload), "log": report.log}
        except ValueError:
            return {
                "body": payload,
                "log": report.log,
            }  # a stream's metadata and body, in the format of Invoke

    def changed(self, original: Call, bound: inspect.BoundArguments) -> None:
        """End a function's idle environments after it was updated or deleted."""
        original(*bound.args, **bound.kwargs)
        given = bound.arguments
        account = given["account"] or responses.get_account_id()
        region = given["region"] or responses.get_region()
        self._functions.discard(f"arn:aws:lambda:{region}:{account}:function:{given['func_name']}")

    async def _stream(self, given: dict[str, Any]) -> Any:
        """Answer with the function's stream: first the metadata, then each chunk as it arrives."""
        integration = given["integration"]
        reference = integration["uri"].partition("/functions/")[2].removesuffix(STREAMING_URI)
        found, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
            reference, account_id=given["owner_account_id"], region=given["owner_region"]
        )
        if found is None or config is None:
            return apigateway_v1._gw_error("API_CONFIGURATION_ERROR", "Internal server error")
        func = lambda_svc._execution_record_for_config(found, config)
        event = _event(given)
        trace_id = event["headers"][TRACE_HEADER]
        payload = json.dumps(event, separators=(",", ":")).encode()
        if len(payload) > MAX_EVENT_BYTES:
            return apigateway_v1._gw_error("REQUEST_TOO_LARGE", "Request Too Long")
        slot, _ = lambda_svc._acquire_execution_slot(func, config)
        if slot is None:
            return apigateway_v1._gw_error("THROTTLED", "Too Many Requests")
        channel = response_stream.Channel()

        def run() -> None:
            try:
                report = self._run(func, config, payload, channel.put, arn=reference, trace_id=trace_id)
            finally:
                lambda_svc._release_execution_slot(slot)
            with responses.request_scope(*_scope(config)):
                lambda_svc._emit_lambda_metrics(
                    config["FunctionName"], report.duration * 1000, error=bool(report.error), throttle=False
                )

        threading.Thread(target=run, daemon=True, name="invocation").start()
        try:
            async with asyncio.timeout(integration["timeoutInMillis"] / 1000):
                status, headers, first = await response_stream.metadata(channel)
        except TimeoutError:
            channel.close()
            return apigateway_v1._gw_error("INTEGRATION_TIMEOUT", "Endpoint request timed out")
        except (FunctionError, ValueError) as error:
            channel.close()
            logger.warning("%s returned an invalid response: %s", reference, error)
            return _bad_gateway(given, event["requestContext"]["requestId"])
        return status, headers, responses.StreamingResponse(response_stream.sender(channel, first))

    def _run(
        self,
        func: dict[str, Any],
        config: dict[str, Any],
        event: bytes,
        receive: Receiver,
        *,
        arn: str | None = None,
        trace_id: str | None = None,
    ) -> Report:
        """Run an invocation in an environment. `arn` is the invoked ARN, if it is not the version's."""
        account, region = _scope(config)
        name = config["FunctionName"]
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        function = Function(
            name=name,
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
        invocation = Invocation(event, receive, arn or function.arn, trace_id)
        return self._functions.invoke(function, invocation, log=log, variables=variables)


def _event(given: dict[str, Any]) -> dict[str, Any]:
    """Build a proxy integration's event from MiniStack's arguments, with the headers that AWS adds."""
    client = responses.get_request_client_ip()
    sent = given["headers"]
    trace = sent.get(TRACE_HEADER.lower()) or f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    added = {
        TRACE_HEADER: trace,
        "X-Forwarded-For": ", ".join(filter(None, (sent.get("x-forwarded-for"), client))),
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    replaced = {name.lower() for name in added}
    headers = {name: value for name, value in sent.items() if name.lower() not in replaced}
    of_the_request = ("api_id", "stage_name", "stage", "resource", "request_path", "method")
    of_the_caller = ("binary_media_types", "authorizer_context", "caller_identity")
    event: dict[str, Any] = apigateway_v1._build_lambda_event_v1(
        *(given[name] for name in of_the_request),
        headers,
        *(given[name] for name in ("body", "query_params", "path_params")),
        **{name: given[name] for name in of_the_caller},
    )
    event["headers"].update(added)
    event["multiValueHeaders"].update({name: [value] for name, value in added.items()})
    event["requestContext"]["identity"]["sourceIp"] = client
    if path := _domain_path.get():  # of a domain, AWS says the path as it was asked for, in both places
        event["path"] = event["requestContext"]["path"] = path
    event["requestContext"]["domainName"] = str(sent.get("host", "")).partition(":")[0]
    return event


def _bad_gateway(given: dict[str, Any], request_id: str) -> tuple[int, dict[str, Any], bytes]:
    """Return API Gateway's response if a function failed or its response is invalid: 502 by default."""
    error = apigateway_v1._GatewayError("DEFAULT_5XX", "Internal server error")
    request = {name: given[name] for name in ("api_id", "stage_name", "stage", "headers", "query_params")}
    status, headers, body = apigateway_v1._gateway_error_response(
        error,
        {
            **request,
            "path_params": given["path_params"] or {},
            "resource_path": given["resource"]["path"],
            "request_id": request_id,
        },
    )
    return (502 if status == 500 else status), headers, body


def _scope(config: dict[str, Any]) -> tuple[str, str]:
    """The account and region of a function."""
    account, region = lambda_runtime._account_region_from_function_config(config)
    return str(account), str(region)


def _log(account: str, region: str, group: str, stream: str, line: str) -> None:
    """Write a line to CloudWatch Logs. Like Lambda, create the group and the stream if they are missing."""
    where = {"logGroupName": group, "logStreamName": stream}
    event = {"timestamp": int(time.time() * 1000), "message": line}
    # the stack may be deleting the group right now
    with responses.request_scope(account, region), suppress(KeyError):
        if group not in cloudwatch_logs._log_groups:
            cloudwatch_logs._create_log_group(where)
        if stream not in cloudwatch_logs._log_groups[group]["streams"]:
            cloudwatch_logs._create_log_stream(where)
        cloudwatch_logs._put_log_events({**where, "logEvents": [event]})
