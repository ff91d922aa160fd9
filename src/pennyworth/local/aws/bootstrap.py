"""A minimal version of Lambda's Python runtime, for plain handlers.

Runs as a program, with the function's interpreter. Imports the handler that `_HANDLER` names (module.function)
from the package, and calls it for each invocation from the Runtime API.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from http.client import HTTPConnection, HTTPMessage
from typing import Any


class Context:
    """The context object that a handler gets.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def __init__(self, headers: HTTPMessage) -> None:
        """Create it from the Runtime API's headers and the environment."""
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = None
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""
        return max(self._deadline_ms - int(time.time() * 1000), 0)


class RuntimeApi:
    """The function's side of the Runtime API."""

    def __init__(self, address: str) -> None:
        """Connect to `host:port`."""
        self._connection = HTTPConnection(address)

    def next(self) -> tuple[HTTPMessage, Any]:
        """Wait for an invocation. Returns its headers and its event."""
        headers, event = self._call("GET", "invocation/next")
        return headers, json.loads(event)

    def respond(self, request_id: str, result: Any) -> None:
        """Send the response of an invocation."""
        self._call("POST", f"invocation/{request_id}/response", json.dumps(result).encode())

    def fail(self, path: str, error: BaseException) -> None:
        """Report an error, and print its traceback."""
        traceback.print_exception(error)
        report = {"errorType": type(error).__name__, "errorMessage": str(error)}
        self._call("POST", path, json.dumps(report).encode())

    def _call(self, method: str, path: str, body: bytes | None = None) -> tuple[HTTPMessage, bytes]:
        self._connection.request(method, f"/2018-06-01/runtime/{path}", body)
        answer = self._connection.getresponse()
        return answer.headers, answer.read()


def load(handler: str) -> Callable[[Any, Context], Any]:
    """Import the function that a handler's name refers to."""
    module, _, name = handler.rpartition(".")
    found: Callable[[Any, Context], Any] = getattr(importlib.import_module(module.replace("/", ".")), name)
    return found


def main() -> None:
    """Serve invocations until the environment ends."""
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    try:
        handler = load(os.environ["_HANDLER"])
    except BaseException as error:
        api.fail("init/error", error)
        sys.exit(1)
    while True:
        headers, event = api.next()
        context = Context(headers)
        try:
            result = handler(event, context)
        except Exception as error:
            api.fail(f"invocation/{context.aws_request_id}/error", error)
        else:
            api.respond(context.aws_request_id, result)


if __name__ == "__main__":
    main()
