"""A stand-in for the AWS Lambda Web Adapter, if its binary is not available.

Runs as a program, without site. It speaks the same protocols: the Runtime API to Lambda, and plain HTTP to the
app. It reads the AWS_LWA_* variables that this project uses.

https://github.com/aws/aws-lambda-web-adapter
"""

import base64
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse
from typing import Any
from urllib.parse import quote, urlencode

CHUNK = 65536
DELIMITER = b"\0" * 8
"""The delimiter between a streamed response's metadata and its body."""
RUNTIME = "/2018-06-01/runtime"
EXTENSION = "/2020-01-01/extension"
POLL_SECONDS = 0.01
FAILURES = (OSError, HTTPException, ValueError)


def main(settings: Mapping[str, str]) -> None:
    """Serve invocations until the environment ends."""
    runtime = settings["AWS_LAMBDA_RUNTIME_API"]
    app = f"127.0.0.1:{settings.get('AWS_LWA_PORT') or settings.get('PORT') or '8080'}"
    threading.Thread(target=_register, args=(runtime,), daemon=True).start()
    _until_ready(settings, app)
    api = HTTPConnection(runtime)
    while True:
        api.request("GET", f"{RUNTIME}/invocation/next")
        answer = api.getresponse()
        event = json.loads(answer.read())
        result = f"{RUNTIME}/invocation/{answer.headers['Lambda-Runtime-Aws-Request-Id']}"
        connection = HTTPConnection(app)
        try:
            response = _forward(connection, event, answer.headers, settings)
        except FAILURES as error:
            failure = {"errorType": type(error).__name__, "errorMessage": f"the app did not answer: {error}"}
            _post(api, f"{result}/error", json.dumps(failure).encode())
        else:
            if settings.get("AWS_LWA_INVOKE_MODE", "").lower() == "response_stream":
                _stream(runtime, f"{result}/response", response)
            else:
                _post(api, f"{result}/response", _buffered(response, http="httpMethod" in event))
        finally:
            connection.close()


def _register(runtime: str) -> None:
    """Register as an extension, then wait for events, which never arrive."""
    api = HTTPConnection(runtime)
    headers = {"Lambda-Extension-Name": "lambda-adapter"}
    api.request("POST", f"{EXTENSION}/register", b'{"events": []}', headers)
    answer = api.getresponse()
    answer.read()
    identity = answer.headers["Lambda-Extension-Identifier"]
    api.request("GET", f"{EXTENSION}/event/next", headers={"Lambda-Extension-Identifier": identity})
    api.getresponse()


def _until_ready(settings: Mapping[str, str], app: str) -> None:
    port = settings.get("AWS_LWA_READINESS_CHECK_PORT") or app.rpartition(":")[2]
    path = settings.get("AWS_LWA_READINESS_CHECK_PATH") or "/"
    began, notice = time.monotonic(), 2.0
    while not _ready(f"127.0.0.1:{port}", path):
        if time.monotonic() - began > notice:
            print(f"the app is not ready after {notice:g} s: http://127.0.0.1:{port}{path}", flush=True)
            notice *= 2
        time.sleep(POLL_SECONDS)


def _ready(address: str, path: str) -> bool:
    connection = HTTPConnection(address)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except FAILURES:
        return False
    finally:
        connection.close()


def _forward(
    connection: HTTPConnection, event: dict[str, Any], invocation: HTTPMessage, settings: Mapping[str, str]
) -> HTTPResponse:
    """Send an event to the app as an HTTP request."""
    if "httpMethod" in event:
        method, target = event["httpMethod"], quote(event["path"], safe="/:@!$&'()*+,;=~-._%")
        query = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters") or {}
        if query:
            target += f"?{urlencode(query, doseq=True)}"
        headers = {**(event.get("multiValueHeaders") or {}), **(event.get("headers") or {})}
        body = event.get("body") or ""
        payload = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    else:  # not an HTTP request: another service's event
        method, target = "POST", settings.get("AWS_LWA_PASS_THROUGH_PATH") or "/events"
        headers, payload = {}, json.dumps(event).encode()
    context = {
        "request_id": invocation["Lambda-Runtime-Aws-Request-Id"],
        "deadline": int(invocation["Lambda-Runtime-Deadline-Ms"]),
        "invoked_function_arn": invocation["Lambda-Runtime-Invoked-Function-Arn"],
        "xray_trace_id": invocation.get("Lambda-Runtime-Trace-Id"),
        "client_context": None,
        "identity": None,
        "tenant_id": None,
        "env_config": {
            "function_name": settings["AWS_LAMBDA_FUNCTION_NAME"],
            "memory": int(settings["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]),
            "version": settings["AWS_LAMBDA_FUNCTION_VERSION"],
            "log_stream": settings["AWS_LAMBDA_LOG_STREAM_NAME"],
            "log_group": settings["AWS_LAMBDA_LOG_GROUP_NAME"],
        },
    }
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        if name.lower() not in ("content-length", "transfer-encoding", "connection"):
            for one in value if isinstance(value, list) else [value]:
                connection.putheader(name, one.encode())
    if payload or method not in ("GET", "HEAD"):
        connection.putheader("Content-Length", str(len(payload)))
    connection.putheader("x-amzn-request-context", json.dumps(event.get("requestContext")))
    connection.putheader("x-amzn-lambda-context", json.dumps(context))
    connection.endheaders(payload)
    return connection.getresponse()


def _metadata(response: HTTPResponse) -> tuple[dict[str, list[str]], list[str]]:
    """Return the app's headers by lower-case name, and its cookies."""
    headers: dict[str, list[str]] = {}
    for name, value in response.getheaders():
        if name.lower() != "transfer-encoding":
            headers.setdefault(name.lower(), []).append(value)
    cookies = headers.pop("set-cookie", [])
    headers.setdefault("content-type", ["application/octet-stream"])
    return headers, cookies


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    while chunk := response.read1(CHUNK):
        yield chunk
    if response.length:
        raise ConnectionError(f"{response.length} bytes of the body are missing")


def _stream(runtime: str, path: str, response: HTTPResponse) -> None:
    """Post a response as it arrives, on a new connection."""
    headers, cookies = _metadata(response)
    prelude = {
        "statusCode": response.status,
        "headers": {name: values[0] if len(values) == 1 else values for name, values in headers.items()},
        "cookies": cookies,
    }
    api = HTTPConnection(runtime)
    api.putrequest("POST", path)
    api.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    api.putheader("Content-Type", "application/vnd.awslambda.http-integration-response")
    api.putheader("Transfer-Encoding", "chunked")
    api.putheader("Trailer", "Lambda-Runtime-Function-Error-Type")
    api.putheader("Trailer", "Lambda-Runtime-Function-Error-Body")
    api.endheaders()
    api.send(_chunk(json.dumps(prelude).encode() + DELIMITER))
    trailers = b""
    try:
        for chunk in _chunks(response):
            api.send(_chunk(chunk))
    except FAILURES as error:
        told = base64.b64encode(f"the app's response broke off: {error}".encode())
        trailers = (
            b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n"
            b"Lambda-Runtime-Function-Error-Body: " + told + b"\r\n"
        )
    api.send(b"0\r\n" + trailers + b"\r\n")
    api.getresponse().read()
    api.close()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _buffered(response: HTTPResponse, *, http: bool) -> bytes:
    """Return a response for a buffered integration; only the body if the event was not an HTTP request."""
    headers, cookies = _metadata(response)
    if cookies:
        headers["set-cookie"] = cookies
    body = b"".join(_chunks(response))
    if not http:
        return body
    try:
        text, coded = body.decode(), False
    except UnicodeDecodeError:
        text, coded = base64.b64encode(body).decode(), True
    return json.dumps(
        {"statusCode": response.status, "multiValueHeaders": headers, "body": text, "isBase64Encoded": coded}
    ).encode()


def _post(api: HTTPConnection, path: str, body: bytes) -> None:
    api.request("POST", path, body, {"Content-Type": "application/json"})
    api.getresponse().read()


if __name__ == "__main__":
    main(os.environ)
