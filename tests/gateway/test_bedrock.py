"""Bedrock on the direct lane: which models, where, and signed so that botocore comes to the same signature."""

import datetime
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.auth
import openai
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from tests.gateway.conftest import Start

from pennyworth.gateway.config import Deployment, parse
from pennyworth.gateway.upstreams import resolve_upstream

ROLE = {
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-role",
    "AWS_SESSION_TOKEN": "token-of-the-role",
    "AWS_REGION": "eu-west-1",
}
QUESTION: Any = [{"role": "user", "content": "What is the capital of France?"}]
ARN = "arn:aws:sts::123456789012:assumed-role/endpoint-FunctionRole/fn"


def deployment(model: str, **params: Any) -> Deployment:
    entry = {"model_name": "m", "litellm_params": {"model": model, **params}}
    (found,) = parse({"model_list": [entry]}, {}).deployments
    return found


@pytest.mark.parametrize(
    ("model", "lane"),
    [
        ("bedrock/qwen.qwen3-32b-v1:0", "direct"),
        ("bedrock/us-west-2/qwen.qwen3-32b-v1:0", "direct"),
        ("bedrock/us.deepseek.v3.2", "direct"),
        ("bedrock/mistral.mistral-large-3-675b-instruct", "direct"),
        ("bedrock/global.zai.glm-5.3", "direct"),
        ("bedrock/moonshot.kimi-k2-thinking", "direct"),
        ("bedrock/chat_completions/openai.gpt-oss-20b-1:0", "direct"),
        ("bedrock_mantle/openai.gpt-oss-120b", "direct"),
        ("bedrock_mantle/xai.grok-4.6", "direct"),
        # something would be lost
        ("bedrock/openai.gpt-oss-120b-1:0", "litellm"),
        ("bedrock/us.openai.gpt-6-sol", "litellm"),
        ("bedrock/us.xai.grok-4.7", "litellm"),
        # no OpenAI-compatible API there
        ("bedrock/us.anthropic.claude-opus-5", "litellm"),
        ("bedrock/amazon.nova-lite-v1:0", "litellm"),
        ("bedrock/us.meta.llama4-maverick-17b-instruct-v1:0", "litellm"),
        ("bedrock/mistral.mistral-large-2402-v1:0", "litellm"),
        ("bedrock/qwen.qwen3-235b-a22b-2507-v1:0", "litellm"),
        ("bedrock/converse/qwen.qwen3-32b-v1:0", "litellm"),
        ("bedrock/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x", "litellm"),
        ("bedrock_mantle/anthropic.claude-opus-5", "litellm"),
        # a client must not choose the address
        ("bedrock/*", "litellm"),
        ("bedrock_mantle/*", "litellm"),
    ],
)
def test_the_lane_follows_the_models_family(model: str, lane: str) -> None:
    assert deployment(model).lane == lane


def test_what_only_litellm_can_do_is_litellms() -> None:
    model = "bedrock/qwen.qwen3-32b-v1:0"
    for name in ("aws_role_name", "aws_profile_name", "model_id", "guardrailConfig"):
        assert deployment(model, **{name: "x"}).lane == "litellm", name
    entry = {"model_name": "*", "litellm_params": {"model": "*"}}
    (anything,) = parse({"model_list": [entry]}, {}).deployments
    named = anything.concrete("bedrock/eu-west-1/qwen.qwen3-32b-v1:0")
    assert named is None or named.lane == "litellm"


@pytest.mark.parametrize(
    ("model", "params", "environ", "url"),
    [
        ("bedrock/deepseek.v3.2", {}, {}, "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"),
        ("bedrock/us-west-2/deepseek.v3.2", {}, {}, "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"),
        (
            "bedrock/us-west-2/deepseek.v3.2",
            {"aws_region_name": "us-east-2"},
            {},
            "https://bedrock-runtime.us-east-2.amazonaws.com/openai/v1",
        ),
        (
            "bedrock/deepseek.v3.2",
            {"aws_region_name": "cn-north-1"},
            {},
            "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/openai/v1",
        ),
        (
            "bedrock/deepseek.v3.2",
            {"aws_region_name": "us-gov-west-1"},
            {},
            "https://bedrock-runtime.us-gov-west-1.amazonaws.com/openai/v1",
        ),
        (
            "bedrock/deepseek.v3.2",
            {"aws_bedrock_runtime_endpoint": "https://vpce-1.example/"},
            {},
            "https://vpce-1.example/openai/v1",
        ),
        ("bedrock_mantle/openai.gpt-oss-20b", {}, {}, "https://bedrock-mantle.eu-west-1.api.aws/v1"),
        ("bedrock_mantle/openai.gpt-6-sol", {}, {}, "https://bedrock-mantle.eu-west-1.api.aws/openai/v1"),
        ("bedrock_mantle/us-gov-west-1/xai.grok-4.6", {}, {}, "https://bedrock-mantle.us-gov-west-1.api.aws/openai/v1"),
        (
            "bedrock_mantle/google.gemma-4-31b",
            {},
            {"BEDROCK_MANTLE_API_BASE": "https://mantle.example/v1"},
            "https://mantle.example/openai/v1",
        ),
    ],
)  # fmt: skip
def test_the_address(model: str, params: dict[str, str], environ: dict[str, str], url: str) -> None:
    made = resolve_upstream(deployment(model, **params), {**ROLE, **environ})
    assert not made.problem
    assert made.base_url == url
    assert made.signing and made.signing.region in ("eu-west-1", *params.values(), *model.split("/"))


def test_a_missing_region_is_told() -> None:
    made = resolve_upstream(deployment("bedrock/deepseek.v3.2"), {})
    assert "aws_region_name" in made.problem


@dataclass
class Bedrock:
    """Both hosts in one: verifies what is sent, as AWS does."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Path, service and body of what was signed well."""
    keys: list[str] = field(default_factory=list)
    handed_out: int = 0

    def verify(self, path: str, headers: dict[str, str], body: bytes) -> str:
        """The service that a signature is for; empty where it is wrong."""
        _, _, rest = headers["authorization"].partition("Credential=")
        credential, signed, _ = (part.partition("=")[2] or part for part in rest.split(", "))
        _, _, region, service, _ = credential.split("/")
        request = AWSRequest(
            "POST", self.url + path, {name: headers[name] for name in signed.split(";")}, body
        )
        del request.headers["host"]
        at = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        request.context["timestamp"] = headers["x-amz-date"]
        theirs = TheirCredentials(
            ROLE["AWS_ACCESS_KEY_ID"], ROLE["AWS_SECRET_ACCESS_KEY"], ROLE["AWS_SESSION_TOKEN"]
        )
        signer = botocore.auth.SigV4Auth(theirs, service, region)
        del request.headers["x-amz-date"], request.headers["x-amz-security-token"]
        original, botocore.auth.get_current_datetime = botocore.auth.get_current_datetime, lambda: at
        try:
            signer.add_auth(request)
        finally:
            botocore.auth.get_current_datetime = original
        return service if _signature(request.headers["Authorization"]) == _signature(rest) else ""


def _signature(header: str) -> str:
    return header.rpartition("Signature=")[2]


@pytest.fixture(scope="module")
def bedrock() -> Iterator[Bedrock]:
    """One that runs, for all tests."""
    service = Bedrock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            assert self.headers["Authorization"] == "token-of-the-container"
            service.handed_out += 1
            end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=6)
            self.answer(
                200,
                {
                    "AccessKeyId": ROLE["AWS_ACCESS_KEY_ID"],
                    "SecretAccessKey": ROLE["AWS_SECRET_ACCESS_KEY"],
                    "Token": ROLE["AWS_SESSION_TOKEN"],
                    "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                },
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fields = json.loads(body)
            if headers["authorization"].startswith("Bearer "):
                service.keys.append(headers["authorization"])
                signed_for = "key"
            else:
                signed_for = service.verify(self.path, headers, body)
            if not signed_for:
                self.answer(403, {"message": "The request signature we calculated does not match"})
            elif "forbidden" in fields["model"]:
                self.answer(
                    403, {"Message": f"User: {ARN} is not authorized to perform: bedrock:InvokeModel"}
                )
            elif "unknown" in fields["model"]:
                unknown = {"__type": "com.amazon.coral.service#UnknownOperationException"}
                self.answer(200, {"Output": unknown, "Version": "1.0"})
            else:
                service.requests.append((self.path, signed_for, fields))
                message = {"role": "assistant", "content": "Paris."}
                self.answer(200, {"model": fields["model"], "choices": [{"index": 0, "message": message}]})

        def answer(self, status: int, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_port}"
        yield service
        server.shutdown()


def config(bedrock: Bedrock, **params: Any) -> dict[str, Any]:
    models = {
        "runtime": "bedrock/us-west-2/qwen.qwen3-32b-v1:0",
        "mantle": "bedrock_mantle/openai.gpt-oss-20b",
        "forbidden": "bedrock/zai.glm-5-forbidden",
        "unknown": "bedrock/zai.glm-5-unknown",
    }
    return {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": model, "api_base": bedrock.url, **params}}
            for name, model in models.items()
        ]
    }


def ask(client: openai.OpenAI, model: str) -> Any:
    return client.chat.completions.create(model=model, messages=QUESTION, max_tokens=7)


def test_requests_are_signed_in_the_roles_name(bedrock: Bedrock, start_gateway: Start) -> None:
    client = start_gateway(config(bedrock), env=ROLE).client()
    bedrock.requests.clear()
    assert ask(client, "runtime").choices[0].message.content == "Paris."
    assert ask(client, "mantle").model == "mantle"
    assert bedrock.requests == [
        (
            "/openai/v1/chat/completions",
            "bedrock",
            {"model": "qwen.qwen3-32b-v1:0", "messages": QUESTION, "max_completion_tokens": 7},
        ),
        (
            "/v1/chat/completions",
            "bedrock-mantle",
            {"model": "openai.gpt-oss-20b", "messages": QUESTION, "max_tokens": 7},
        ),
    ]
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask(client, "forbidden")
    assert "is not authorized to perform: bedrock:InvokeModel" in str(refused.value)
    assert "123456789012" not in str(refused.value) and "FunctionRole" not in str(refused.value)
    with pytest.raises(openai.APIStatusError) as unknown:
        ask(client, "unknown")
    assert unknown.value.status_code == 502 and "UnknownOperation" in str(unknown.value)


def test_the_variables_that_lambda_sets_may_be_named(bedrock: Bedrock, start_gateway: Start) -> None:
    named = {
        "aws_access_key_id": "os.environ/AWS_ACCESS_KEY_ID",
        "aws_secret_access_key": "os.environ/AWS_SECRET_ACCESS_KEY",
    }
    assert ask(start_gateway(config(bedrock, **named), env=ROLE).client(), "runtime").choices


def test_a_container_hands_the_credentials_out(bedrock: Bedrock, start_gateway: Start) -> None:
    container = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{bedrock.url}/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token-of-the-container",
        "AWS_REGION": "eu-west-1",
    }
    gateway = start_gateway(config(bedrock), env=container)
    assert bedrock.handed_out == 0
    for _ in range(2):
        assert ask(gateway.client(), "runtime").choices
    assert bedrock.handed_out == 1  # for one upstream, kept


def test_a_key_of_bedrocks_is_no_signature(bedrock: Bedrock, start_gateway: Start) -> None:
    client = start_gateway(
        config(bedrock), env={**ROLE, "AWS_BEARER_TOKEN_BEDROCK": "key-of-bedrock"}
    ).client()
    ask(client, "runtime")
    assert bedrock.keys.pop() == "Bearer key-of-bedrock"


def test_without_credentials_the_operator_is_told(bedrock: Bedrock, start_gateway: Start) -> None:
    client = start_gateway(config(bedrock), env={"AWS_REGION": "eu-west-1"}).client()
    began = time.monotonic()
    with pytest.raises(openai.InternalServerError, match="AWS_ACCESS_KEY_ID"):
        ask(client, "runtime")
    assert time.monotonic() - began < 5
