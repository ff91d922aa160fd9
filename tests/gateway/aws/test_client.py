"""Our AWS client against the local AWS, and against a service that does as it is told."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from pennyworth.gateway.aws import client as module
from pennyworth.gateway.aws.client import AwsError, Client
from pennyworth.local.aws.server import ACCOUNT, LocalAws

REGION = "eu-central-1"
GOOD = (200, {"Parameters": []})


@dataclass
class Told:
    """A service whose answers are told beforehand; the last one goes for all further calls."""

    answers: list[tuple[int, Any]]
    ahead: float = 0.0
    """How far its clock is ahead, in seconds."""
    received: list[dict[str, str]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    url: str = ""


@pytest.fixture
def told() -> Iterator[Callable[..., Told]]:
    servers = []

    def start(*answers: tuple[int, Any], ahead: float = 0.0) -> Told:
        service = Told(list(answers), ahead)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                service.received.append(dict(self.headers.items()))
                service.connections.add(self.client_address)
                status, answer = service.answers.pop(0) if len(service.answers) > 1 else service.answers[0]
                if answer is None:  # hangs up without a word
                    self.close_connection = True
                    return
                if isinstance(answer, float):
                    time.sleep(answer)
                    answer = {}
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response_only(status)
                self.send_header("Date", formatdate(time.time() + service.ahead, usegmt=True))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass  # the client did not wait for the answer

        server = Server(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        service.url = f"http://127.0.0.1:{server.server_port}"
        return service

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def brief_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES_SECONDS", (0.01, 0.01))


def environ(url: str, **more: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        **more,
    }


def ask(url: str, **options: Any) -> dict[str, Any]:
    return Client(environ(url)).call("ssm", "GetParametersByPath", {"Path": "/a"}, **options)


def refusal(code: str) -> tuple[int, Any]:
    return 400, {"__type": f"com.amazonaws.ssm#{code}", "message": "because"}


def test_the_local_aws_takes_our_signatures_and_refuses_wrong_ones() -> None:
    with LocalAws(auth=True) as aws:
        theirs = boto3.client("ssm", endpoint_url=aws.endpoint, region_name=REGION, **_keys(aws))
        for number in range(12):  # more than a page
            theirs.put_parameter(Name=f"/a/N{number:02}", Value=f"ä-{number}", Type="SecureString")
        iam = boto3.client("iam", endpoint_url=aws.endpoint, region_name=REGION, **_keys(aws))
        iam.create_user(UserName="reader")
        place = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a"
        allowed = {"Effect": "Allow", "Action": "ssm:GetParametersByPath", "Resource": place}
        iam.put_user_policy(
            UserName="reader",
            PolicyName="read",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
        )
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        given = {
            **aws.environ(REGION),
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        request = {"Path": "/a", "WithDecryption": True, "MaxResults": 10}
        page = Client(given).call("ssm", "GetParametersByPath", request)
        assert [parameter["Value"] for parameter in page["Parameters"]] == [f"ä-{n}" for n in range(10)]
        for changed, operation, code in (
            ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "GetParametersByPath", "InvalidSignatureException"),
            ({"AWS_ACCESS_KEY_ID": "AKIANOBODY"}, "GetParametersByPath", "UnrecognizedClientException"),
            ({}, "GetParameter", "AccessDeniedException"),
        ):
            with pytest.raises(AwsError) as refused:
                Client({**given, **changed}).call("ssm", operation, request)
            assert refused.value.code == code
        with pytest.raises(AwsError, match="AccessDeniedException"):
            Client(given).call("ssm", "GetParametersByPath", {"Path": "/b"})


def test_what_is_sent(told: Callable[..., Told]) -> None:
    service = told(GOOD)
    client = Client(environ(service.url))
    assert client.call("ssm", "GetParametersByPath", {}) == {"Parameters": []}
    client.call("dynamodb", "GetItem", {})
    first, second = service.received
    assert first["X-Amz-Target"] == "AmazonSSM.GetParametersByPath"
    assert first["Content-Type"] == "application/x-amz-json-1.1"
    assert second["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
    assert second["Content-Type"] == "application/x-amz-json-1.0"
    assert first["X-Amz-Security-Token"] == "token"
    assert f"/{REGION}/ssm/aws4_request" in first["Authorization"]
    assert len(service.connections) == 1, "the connection is used again"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (refusal("ThrottlingException"), "ThrottlingException"),
        ((429, {}), "HTTP 429"),
        ((500, {"__type": "InternalServerError", "message": "oh"}), "InternalServerError"),
        ((503, b"<html>"), "HTTP 503"),
        ((0, None), "Unreachable"),
    ],
)
def test_what_may_pass_is_tried_again_twice(
    told: Callable[..., Told], failure: tuple[int, Any], code: str
) -> None:
    service = told(failure, failure, GOOD)
    assert ask(service.url) == {"Parameters": []}
    assert len(service.received) == 3
    lasting = told(failure)
    with pytest.raises(AwsError) as failed:
        ask(lasting.url)
    assert failed.value.code == code
    assert len(lasting.received) == 3


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "ValidationException"])
def test_what_stays_is_told_at_once(told: Callable[..., Told], code: str) -> None:
    service = told(refusal(code))
    with pytest.raises(AwsError, match="because") as failed:
        ask(service.url)
    assert failed.value.code == code
    assert len(service.received) == 1


@pytest.mark.parametrize("ahead", [3600.0, -86400.0])
@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestTimeTooSkewed"])
def test_a_wrong_clock_is_made_up_for_and_stays_so(
    told: Callable[..., Told], ahead: float, code: str
) -> None:
    service = told(refusal(code), GOOD, ahead=ahead)
    client = Client(environ(service.url))
    for _ in range(2):
        client.call("ssm", "GetParametersByPath", {})
    times = [
        time.mktime(time.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")) for headers in service.received
    ]
    assert len(times) == 3
    assert times[1] - times[0] == pytest.approx(ahead, abs=3)
    assert times[2] - times[1] == pytest.approx(0, abs=3)


def test_a_wrong_secret_is_no_wrong_clock(told: Callable[..., Told]) -> None:
    service = told(refusal("InvalidSignatureException"))
    with pytest.raises(AwsError, match="InvalidSignatureException"):
        ask(service.url)
    assert len(service.received) == 3


def test_silence_ends(told: Callable[..., Told], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ATTEMPT_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(AwsError, match="does not answer in time"):
        ask(told((200, 3.0)).url)
    assert time.monotonic() - began < 3
    service = told((200, 3.0), GOOD)
    assert ask(service.url) == {"Parameters": []}
    began = time.monotonic()
    with pytest.raises(AwsError):
        ask(told((200, 3.0)).url, seconds=0.1)
    assert time.monotonic() - began < 0.5


def test_nobody_listens() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(AwsError) as failed:
            ask(f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert failed.value.code == "Unreachable"


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("AWS_REGION", "NoRegion"),
        ("AWS_ACCESS_KEY_ID", "NoCredentials"),
        ("AWS_SECRET_ACCESS_KEY", "NoCredentials"),
    ],
)
def test_what_the_environment_lacks_is_named(missing: str, code: str) -> None:
    given = environ("http://127.0.0.1:1")
    del given[missing]
    with pytest.raises(AwsError, match=missing) as failed:
        Client(given).call("ssm", "GetParameter", {})
    assert failed.value.code == code


def test_a_service_may_have_an_address_of_its_own(told: Callable[..., Told]) -> None:
    service, other = told(GOOD), told(GOOD)
    client = Client(environ(other.url, AWS_ENDPOINT_URL_SSM=service.url))
    client.call("ssm", "GetParametersByPath", {})
    client.call("dynamodb", "GetItem", {})
    assert (len(service.received), len(other.received)) == (1, 1)


@pytest.mark.parametrize("region", ["us-west-2", "cn-north-1", "us-gov-west-1"])
@pytest.mark.parametrize("service", ["ssm", "dynamodb"])
def test_the_addresses_are_botocores(service: str, region: str) -> None:
    given = environ("", AWS_REGION=region)
    theirs = boto3.client(service, region_name=region, aws_access_key_id="-", aws_secret_access_key="-")
    assert Client(given)._endpoint(service, region).rstrip("/") == theirs.meta.endpoint_url


def _keys(aws: LocalAws) -> dict[str, str]:
    given = aws.environ(REGION)
    return {
        "aws_access_key_id": given["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": given["AWS_SECRET_ACCESS_KEY"],
    }
