"""One deployed set of functions for each adapter: the real Web Adapter where it is at hand, and the stand-in."""

import io
import json
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import boto3
import pytest

from pennyworth.local.aws.adapter import STAND_IN, VARIABLE, build, real
from pennyworth.local.aws.server import LocalAws

HERE = Path(__file__).parent
REGION = "eu-central-1"
DOMAIN = "api.example.test"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
INIT_SECONDS = 4


@dataclass
class Deployed:
    """What the tests talk to."""

    aws: LocalAws
    api: str
    function: str

    def client(self, service: str) -> Any:
        return client(self.aws, service)

    def connect(self) -> HTTPConnection:
        return HTTPConnection(self.aws.endpoint.removeprefix("http://"), timeout=30)

    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        through: HTTPConnection | None = None,
    ) -> HTTPResponse:
        """Send a request to the custom domain; the response is still to be read."""
        connection = through or self.connect()
        connection.request(method, path, body, {"Host": DOMAIN, **(headers or {})})
        return connection.getresponse()

    def json(self, path: str, **request: Any) -> Any:
        response = self.open(path, **request)
        assert response.status == 200, response.read()
        return json.loads(response.read())

    def log(self, group: str) -> str:
        found = self.client("logs").filter_log_events(logGroupName=group, limit=10000)
        return "\n".join(event["message"] for event in found["events"])


@pytest.fixture(scope="session", params=["real", STAND_IN])
def deployed(request: pytest.FixtureRequest) -> Iterator[Deployed]:
    """The functions of template.yaml, behind either adapter."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv(VARIABLE, str(real_adapter()) if request.param == "real" else STAND_IN)
        patch.setenv("PENNYWORTH_INIT_SECONDS", str(INIT_SECONDS))
        patch.setenv("SECRET_OF_THE_HOST", "not for functions")
        aws = stack.enter_context(LocalAws(front=DOMAIN))
        yield deploy(aws)


def client(aws: LocalAws, service: str, key: str = "", secret: str = "", token: str | None = None) -> Any:
    """A boto3 client, by default for the account's root."""
    environ = aws.environ(REGION)
    return boto3.client(
        service,
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id=key or environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or environ["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=token,
    )


def running(group: int) -> bool:
    """Whether a process group has processes left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def ends(group: int, seconds: float) -> bool:
    """Whether a process group ends in time."""
    deadline = time.monotonic() + seconds
    while running(group) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not running(group)


def real_adapter() -> Path:
    """The real Web Adapter, built first where cargo is."""
    found = real()
    if found is None and shutil.which("cargo") is None:
        pytest.skip("no Web Adapter is at hand, and no cargo to build it with")
    return found or build()


def package() -> bytes:
    """The app as a deployment package."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for path in sorted((HERE / "app").iterdir()):
            if path.is_file():
                zipped.write(path, path.name)
    return buffer.getvalue()


def deploy(aws: LocalAws) -> Deployed:
    """Deploy template.yaml through CloudFormation."""
    target = Deployed(aws, api="", function="")
    storage, cloudformation = target.client("s3"), target.client("cloudformation")
    storage.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
    storage.put_object(Bucket="code", Key="app.zip", Body=package())
    parameters = {"CodeBucket": "code", "CodeKey": "app.zip", "Runtime": RUNTIME}
    cloudformation.create_stack(
        StackName="conformance",
        TemplateBody=(HERE / "template.yaml").read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="conformance", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    (stack,) = cloudformation.describe_stacks(StackName="conformance")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    target.api, target.function = outputs["ApiId"], outputs["FunctionName"]
    return target
