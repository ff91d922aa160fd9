"""What a function behind a streaming REST API meets: the same for the real Web Adapter and for the stand-in."""

import base64
import hashlib
import itertools
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from .conftest import DOMAIN, INIT_SECONDS, REGION, RUNTIME, Deployed

INTERNAL = b'{"error":  "Internal server error", "type": "DEFAULT_5XX"}'


def header(seen: Any, name: str) -> list[str]:
    return [value for key, value in seen["headers"] if key.lower() == name]


# requests


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/v1/chat/completions", "/a%20b"])
def test_every_method_and_path_reaches_the_app(deployed: Deployed, method: str, path: str) -> None:
    seen = deployed.json(path, method=method, body=b"{}" if method == "POST" else None)
    assert (seen["method"], seen["path"]) == (method, path)


def test_head_has_no_body(deployed: Deployed) -> None:
    response = deployed.open("/status?status=200", method="HEAD")
    assert (response.status, response.headers["x-one"], response.read()) == (200, "1", b"")


def test_query_and_headers_reach_the_app(deployed: Deployed) -> None:
    seen = deployed.json("/?a=1&a=2&b=x%20y", headers={"X-Two": "zwei", "Authorization": "Bearer key"})
    assert sorted(seen["path"].removeprefix("/?").split("&")) == ["a=1", "a=2", "b=x+y"]
    assert header(seen, "x-two") == ["zwei"]
    assert header(seen, "authorization") == ["Bearer key"]
    assert header(seen, "host") == [DOMAIN]
    assert header(seen, "x-forwarded-for") == ["127.0.0.1"]
    assert header(seen, "x-forwarded-proto") == ["https"]
    (trace,) = header(seen, "x-amzn-trace-id")
    assert trace.startswith("Root=1-")


def test_the_api_answers_at_its_own_address_too(deployed: Deployed) -> None:
    seen = deployed.json(f"/_aws/execute-api/{deployed.api}/v1/models", headers={"Host": "127.0.0.1"})
    assert seen["path"] == "/models"


def test_bytes_go_both_ways_unchanged(deployed: Deployed) -> None:
    body = bytes(range(256)) * 4
    for content_type in ("multipart/form-data; boundary=x", "application/json", "image/png"):
        response = deployed.open("/bytes", method="POST", body=body, headers={"Content-Type": content_type})
        assert response.read() == body


def test_a_body_without_a_type(deployed: Deployed) -> None:
    body = b"\xff\x00\xfe"
    assert base64.b64decode(deployed.json("/", method="POST", body=body)["body"]) == body


def test_context_headers(deployed: Deployed) -> None:
    before = time.time()
    seen = deployed.json("/contexts?x=1")
    (lambda_context,), (request_context,) = (
        [json.loads(one) for one in header(seen, f"x-amzn-{kind}-context")] for kind in ("lambda", "request")
    )
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:{deployed.function}:live"
    assert lambda_context["invoked_function_arn"] == arn
    assert before + 15 < lambda_context["deadline"] / 1000 < time.time() + 21
    assert lambda_context["env_config"] == {
        "function_name": deployed.function,
        "memory": 256,
        "version": "1",
        "log_group": "/conformance/app",
        "log_stream": seen["variables"]["AWS_LAMBDA_LOG_STREAM_NAME"],
    }
    assert lambda_context["xray_trace_id"] == header(seen, "x-amzn-trace-id")[0]
    assert set(lambda_context) >= {"request_id", "client_context", "identity"}
    expected = {
        "stage": "v1",
        "domainName": DOMAIN,
        "apiId": deployed.api,
        "path": "/contexts",
        "resourcePath": "/{proxy+}",
    }
    assert expected.items() <= request_context.items()
    assert request_context["identity"]["sourceIp"] == "127.0.0.1"


def test_the_context_tells_the_path_as_it_was_asked_for(deployed: Deployed) -> None:
    own = f"/_aws/execute-api/{deployed.api}"
    for host, path, asked in (
        (DOMAIN, "/v1/some%20path", "/v1/some path"),
        ("127.0.0.1", f"{own}/v1/models", "/v1/models"),
    ):
        (context,) = header(deployed.json(path, headers={"Host": host}), "x-amzn-request-context")
        assert json.loads(context)["path"] == asked


# the environment that a function finds


def test_environment_variables(deployed: Deployed) -> None:
    seen = deployed.json("/")
    variables = seen["variables"]
    expected = {
        "_HANDLER": "run.sh",
        "GREETING": "hello",
        "AWS_LAMBDA_FUNCTION_NAME": deployed.function,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/conformance/app",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": deployed.aws.endpoint,
        "AWS_ACCESS_KEY_ID": "123456789012",
        "LAMBDA_TASK_ROOT": seen["cwd"],
        "TZ": ":UTC",
    }
    assert expected.items() <= variables.items()
    assert variables["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
    assert "SECRET_OF_THE_HOST" not in variables
    assert "PENNYWORTH_LAMBDA_ADAPTER" not in variables
    assert "VIRTUAL_ENV" not in variables and "PYTHONPATH" not in variables


def test_its_own_interpreter_and_nothing_else_on_the_path(deployed: Deployed) -> None:
    seen = deployed.json("/")
    assert tuple(seen["python"]) == sys.version_info[:2]
    assert not [path for path in seen["sys_path"] if "localaws-" in path and "functions" not in path]
    assert not [path for path in seen["sys_path"] if "dist-packages" in path]


def test_output_goes_to_the_log_group(deployed: Deployed) -> None:
    deployed.json("/logged/here")
    log = deployed.log("/conformance/app")
    assert "echoing GET /logged/here" in log
    for line in ("INIT_START", "START RequestId: ", "END RequestId: ", "REPORT RequestId: "):
        assert line in log


# responses


def test_statuses_and_headers(deployed: Deployed) -> None:
    for status in (201, 204, 304, 404, 429, 503):
        response = deployed.open(f"/status?status={status}")
        assert (response.status, response.headers["x-one"], response.read()) == (status, "1", b"")
        assert response.headers["x-amzn-remapped-server"].startswith("BaseHTTP/")


def test_several_cookies(deployed: Deployed) -> None:
    response = deployed.open("/cookies")
    assert response.headers.get_all("set-cookie") == ["a=1; Path=/", "b=2, 3; HttpOnly"]
    assert response.read() == b"baked"


def test_an_empty_stream(deployed: Deployed) -> None:
    response = deployed.open("/empty-stream")
    assert (response.status, response.headers["content-type"], response.read()) == (
        200,
        "text/event-stream",
        b"",
    )


@pytest.mark.parametrize("size", [6 * 1024 * 1024, 20 * 1024 * 1024])
def test_a_large_response(deployed: Deployed, size: int) -> None:
    body = deployed.open(f"/large?size={size}").read()
    block = hashlib.sha256(b"pennyworth").digest() * 2048
    assert hashlib.sha256(body).digest() == hashlib.sha256((block * (size // len(block) + 1))[:size]).digest()


def test_a_request_close_to_6_mb(deployed: Deployed) -> None:
    body = os.urandom(4_700_000)  # what 6 MB hold in base64
    assert deployed.open("/bytes", method="POST", body=body).read() == body


def test_a_request_over_6_mb_is_refused(deployed: Deployed) -> None:
    response = deployed.open("/bytes", method="POST", body=bytes(4_800_000))
    assert (response.status, json.loads(response.read())) == (413, {"message": "Request Too Long"})


# streaming


def test_the_first_chunk_arrives_before_the_last_is_sent(deployed: Deployed) -> None:
    with Gate() as gate:
        response = deployed.open(f"/stream?gate={gate.url}")
        assert response.headers["content-type"] == "text/event-stream"
        assert response.read1() == b"data: first\n\n"
        assert not gate.passed.is_set()
        gate.open.set()  # only now may the app send its last
        assert response.read() == b"data: last\n\n"


def test_each_chunk_arrives_when_it_is_sent(deployed: Deployed) -> None:
    deployed.json("/")  # warm
    response, arrived = deployed.open("/pace?chunks=20&pause=0.05"), []
    while response.read1():
        arrived.append(time.monotonic())
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(arrived))
    assert len(arrived) == 20
    assert 0.03 < gaps[len(gaps) // 2] < 0.08


def test_a_warm_request_waits_for_no_acknowledgement(deployed: Deployed) -> None:
    """Nagle's algorithm and delayed acknowledgements between them would cost 40 ms each time."""
    took = []
    for _ in range(15):
        began = time.monotonic()
        deployed.open("/status?status=200").read()
        took.append(time.monotonic() - began)
    assert sorted(took)[3] < 0.035


def test_a_client_that_hangs_up_does_not_end_the_function(deployed: Deployed) -> None:
    pid = deployed.json("/")["pid"]
    connection = deployed.connect()
    response = deployed.open("/pace?chunks=200&pause=0.01", through=connection)
    response.read1()
    response.close()
    connection.close()
    assert deployed.json("/")["pid"] != pid  # the environment is still at work
    time.sleep(3)
    assert pid in {deployed.json("/")["pid"]} | parallel_pids(deployed, 3)


# concurrency


def test_parallel_requests_get_environments_of_their_own(deployed: Deployed) -> None:
    first = parallel_pids(deployed, 4)
    assert len(first) == 4
    assert parallel_pids(deployed, 4) == first  # and idle ones are used again


def test_requests_one_after_another_share_an_environment(deployed: Deployed) -> None:
    assert len({deployed.json("/")["pid"] for _ in range(30)}) == 1


def parallel_pids(deployed: Deployed, count: int) -> set[int]:
    with ThreadPoolExecutor(count) as pool:
        return set(pool.map(lambda _: deployed.json("/sleep?seconds=1")["pid"], range(count)))


# failures


@pytest.mark.parametrize("path", ["/break", "/short", "/die-streaming"])
def test_a_response_that_breaks_half_way_is_not_taken_for_whole(deployed: Deployed, path: str) -> None:
    response = deployed.open(path)
    assert response.status == 200
    with pytest.raises(IncompleteRead) as broken:
        response.read()
    assert broken.value.partial in (b"data: half\n\n", b"ten bytes.", b"")
    assert deployed.open("/status?status=200").status == 200


@pytest.mark.parametrize("path", ["/die", "/refuse"])
def test_a_function_that_fails_before_it_answers(deployed: Deployed, path: str) -> None:
    response = deployed.open(path)
    assert (response.status, response.read()) == (502, INTERNAL)
    if path == "/die":
        log = deployed.log("/conformance/app")
        assert "about to die" in log
    assert deployed.open("/status?status=200").status == 200


def test_several_values_of_a_header_are_a_malformed_response(deployed: Deployed) -> None:
    response = deployed.open("/several")
    assert (response.status, response.read()) == (502, INTERNAL)


NOT_READY = f"not ready within {INIT_SECONDS} seconds"


@pytest.mark.parametrize(
    ("function", "within", "why"),
    [
        ("dies", 3, ["no configuration: giving up", "the runtime ended: exit status 7"]),
        ("unhealthy", INIT_SECONDS + 2, ["app is not ready after", "/health", NOT_READY]),
        ("silent", INIT_SECONDS + 2, [NOT_READY]),
        ("missing", 2, ["the function needs python3.99, which is not on this machine"]),
    ],
)
def test_a_function_that_never_becomes_ready(
    deployed: Deployed, function: str, within: float, why: list[str]
) -> None:
    began = time.monotonic()
    response = deployed.open(f"/{function}")
    assert (response.status, response.read()) == (502, INTERNAL)
    assert time.monotonic() - began < within
    log = deployed.log(f"/aws/lambda/{function}")
    assert [reason for reason in why if reason not in log] == []


def test_a_function_that_times_out(deployed: Deployed) -> None:
    began = time.monotonic()
    response = deployed.open("/hasty/sleep?seconds=30")
    assert (response.status, response.read()) == (502, INTERNAL)
    assert time.monotonic() - began < 5
    assert "Task timed out after 1.00 seconds" in deployed.log("/aws/lambda/hasty")


def test_a_function_that_times_out_half_way(deployed: Deployed) -> None:
    response = deployed.open("/hasty/pace?chunks=100&pause=0.1")
    with pytest.raises(IncompleteRead) as broken:
        response.read()
    assert broken.value.partial.startswith(b"data: 0\n\n")


def test_an_integration_that_times_out(deployed: Deployed) -> None:
    deployed.open("/impatient/pace?chunks=20&pause=0.1").read()  # warm; and a stream may last longer
    response = deployed.open("/impatient/sleep?seconds=3")
    assert response.status == 504
    assert json.loads(response.read()) == {
        "error": "Endpoint request timed out",
        "type": "INTEGRATION_TIMEOUT",
    }


# without streaming, without the adapter


def test_a_buffered_integration(deployed: Deployed) -> None:
    body = bytes(range(256))
    response = deployed.open("/buffered/bytes", method="POST", body=body, headers={"Accept": "*/*"})
    assert (response.status, response.read()) == (200, body)
    response = deployed.open("/buffered/cookies")
    assert response.headers.get_all("set-cookie") == ["a=1; Path=/", "b=2, 3; HttpOnly"]


def test_a_direct_invocation_passes_its_event_through(deployed: Deployed) -> None:
    answer = deployed.client("lambda").invoke(FunctionName="buffered", Payload=b'{"schedule": 1}')
    assert json.loads(answer["Payload"].read()) == {"event": {"schedule": 1}}


def test_a_direct_invocation_of_a_streaming_function(deployed: Deployed) -> None:
    event = {"httpMethod": "GET", "path": "/cookies", "headers": {}, "requestContext": {"httpMethod": "GET"}}
    event |= {"body": None, "isBase64Encoded": False, "resource": "/"}
    answer = deployed.client("lambda").invoke(
        FunctionName=deployed.function, Payload=json.dumps(event).encode()
    )
    metadata, _, body = answer["Payload"].read().partition(bytes(8))
    assert json.loads(metadata)["cookies"] == ["a=1; Path=/", "b=2, 3; HttpOnly"]
    assert body == b"baked"


def test_a_plain_handler_runs_on_its_own_interpreter(deployed: Deployed) -> None:
    client = deployed.client("lambda")
    answer = json.loads(client.invoke(FunctionName="plain", Payload=b"{}")["Payload"].read())
    assert answer["python"].startswith(RUNTIME.removeprefix("python"))
    assert answer["arn"].endswith(":function:plain")
    assert 0 < answer["left_ms"] <= 3000
    failed = client.invoke(FunctionName="plain", Payload=b'{"fail": "for a reason"}')
    assert failed["FunctionError"] == "Unhandled"
    assert json.loads(failed["Payload"].read()) == {"errorType": "ValueError", "errorMessage": "for a reason"}


def test_a_handler_that_is_not_there(deployed: Deployed) -> None:
    failed = deployed.client("lambda").invoke(FunctionName="broken", Payload=b"{}")
    assert json.loads(failed["Payload"].read())["errorType"] == "AttributeError"
    assert "Traceback" in deployed.log("/aws/lambda/broken")


def test_the_wrapper_needs_its_layer(deployed: Deployed) -> None:
    failed = deployed.client("lambda").invoke(FunctionName="layerless", Payload=b"{}")
    assert "no layer provides /opt/bootstrap" in json.loads(failed["Payload"].read())["errorMessage"]


class Gate:
    """A server that answers once it is let."""

    def __enter__(self) -> "Gate":
        self.open, self.passed = threading.Event(), threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gate.open.wait(20)
                gate.passed.set()
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
