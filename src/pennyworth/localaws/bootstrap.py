"""Lambda's Python runtime, as far as a plain handler needs it. Run as a program, on the function's own interpreter.

Imports the handler that `_HANDLER` names (module.function) from the package and feeds it from the Runtime API.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
"""

import importlib
import json
import os
import sys
import time
import traceback
from http.client import HTTPConnection


class Context:
    """What a handler learns about its invocation.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = self.identity = None
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        """Milliseconds until Lambda ends the invocation."""
        return max(self._deadline_ms - int(time.time() * 1000), 0)


def main():
    """Serve invocations until the environment ends."""
    sys.stdout.reconfigure(line_buffering=True)
    api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(method, path, body=None):
        api.request(method, f"/2018-06-01/runtime/{path}", body)
        answer = api.getresponse()
        return answer.headers, answer.read()

    def report(path, error):
        traceback.print_exception(error)
        failure = {"errorType": type(error).__name__, "errorMessage": str(error)}
        call("POST", path, json.dumps(failure).encode())

    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    try:
        handler = getattr(importlib.import_module(module.replace("/", ".")), name)
    except BaseException as error:
        report("init/error", error)
        sys.exit(1)
    while True:
        headers, event = call("GET", "invocation/next")
        context = Context(headers)
        try:
            payload = json.dumps(handler(json.loads(event), context)).encode()
        except Exception as error:
            report(f"invocation/{context.aws_request_id}/error", error)
        else:
            call("POST", f"invocation/{context.aws_request_id}/response", payload)


if __name__ == "__main__":
    main()
