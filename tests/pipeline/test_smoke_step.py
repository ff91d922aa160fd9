"""The smoke test step: at which address it tries a deployed endpoint, and why; what it hands on."""

import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import boto3
import pytest
from tests.checks.test_smoke import listening_port

from pennyworth.checks import smoke
from pennyworth.checks.smoke import deployed_endpoint as stack_smoke
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT
from pennyworth.host.processes import Child
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream
from pennyworth.pipeline.steps import smoke_test

KEY = "sk-smoke-step"
ORIGIN = "https://app.example.com"
REGION = "us-west-2"
STACK = "tried"
NOWHERE = "https://api.pennyworth.invalid/v1"
TEMPLATE = """
Parameters:
  CorsAllowOrigins: {Type: String}
  Domain: {Type: String}
  Api: {Type: String}
Conditions:
  HasDomain: !Not [!Equals [!Ref Domain, ""]]
  HasApi: !Not [!Equals [!Ref Api, ""]]
Resources:
  Any:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: /any, Value: any}
Outputs:
  CustomDomainUrl: {Condition: HasDomain, Value: !Ref Domain}
  ApiUrl: {Condition: HasApi, Value: !Ref Api}
"""
CERTIFICATE = """
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = localhost
[extensions]
subjectAltName = DNS:localhost
basicConstraints = critical, CA:true
keyUsage = critical, digitalSignature, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a gateway that only one web origin's pages may call."""
    folder = tmp_path_factory.mktemp("gateway")
    with ScriptedUpstream(Answer(pace=0.02)) as upstream:
        params = {"model": "openai/scripted", "api_base": upstream.base_url, "api_key": "sk-upstream"}
        config = {"model_list": [{"model_name": "scripted", "litellm_params": params}]}
        (folder / "config.json").write_text(json.dumps(config))
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "PENNYWORTH_CONFIG": str(folder / "config.json"),
            "LITELLM_API_KEYS": KEY,
            "CORS_ALLOW_ORIGINS": ORIGIN,
            "PORT": "0",
        }
        command = [sys.executable, "-m", "pennyworth.gateway"]
        with Child(command, log=folder / "gateway.log", env=environ) as child:
            yield f"http://127.0.0.1:{listening_port(child)}/v1"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody trusts, and its key, in one file."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not at hand, to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    (folder / "config").write_text(CERTIFICATE)
    made = ["-keyout", "key", "-out", "certificate", "-config", "config"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *made]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    both = folder / "both.pem"
    both.write_text((folder / "certificate").read_text() + (folder / "key").read_text())
    return both


@contextmanager
def tls(certificate: Path, base_url: str) -> Iterator[str]:
    """The same endpoint as https://localhost, as a custom domain is."""
    port = int(base_url.split(":")[2].split("/")[0])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                outside = context.wrap_socket(self.request, server_side=True)
            except OSError:  # whoever calls does not trust it
                return
            with outside, socket.create_connection(("127.0.0.1", port)) as inside:
                back = threading.Thread(target=pump, args=(inside, outside), daemon=True)
                back.start()
                pump(outside, inside)
                back.join(10)

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"https://localhost:{server.server_address[1]}/v1"
        server.shutdown()


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


class Job:
    """A job whose stack is in the local AWS, and whose endpoint is somewhere in the world."""

    def __init__(self, aws: LocalAws, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        environ = aws.environ(REGION)
        # CloudFormation alone: an emulator's endpoint would say that the domains are the emulator's, too
        endpoint = environ.pop("AWS_ENDPOINT_URL")
        for name, value in {**environ, "AWS_ENDPOINT_URL_CLOUDFORMATION": endpoint}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        self._output = folder / "output"
        monkeypatch.setenv("GITHUB_OUTPUT", str(self._output))
        self.junit = folder / "results" / "smoke.xml"

    def deployed(self, *, domain: str = "", api: str = "", origins: str = ORIGIN) -> None:
        """Have a stack with these outputs."""
        given = {"Domain": domain, "Api": api, "CorsAllowOrigins": origins}
        cloudformation = boto3.client("cloudformation", region_name=REGION)
        cloudformation.delete_stack(StackName=STACK)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=TEMPLATE,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def run(self, **settings: str) -> str:
        """Run the step."""
        own = {"STACK_NAME": STACK, "AWS_REGION": REGION, "LITELLM_API_KEYS": f"{KEY}, sk-another"}
        return smoke_test.run({**os.environ, **own, "JUNIT": str(self.junit), **settings})

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self._output.read_text().splitlines())


@pytest.fixture
def job(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    yield Job(aws, tmp_path, monkeypatch)
    boto3.client("cloudformation", region_name=REGION).delete_stack(StackName=STACK)


def test_the_custom_domain_is_tried_where_it_works(
    job: Job, gateway: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tls(certificate, gateway) as domain:
        job.deployed(domain=domain, api="http://127.0.0.1:1/v1")
        report = job.run(REQUIRE_DOMAIN="true", LONG_SECONDS="0.05")
    assert report.startswith(
        f"Tested the custom domain `{domain}`: {len(smoke.CHECKS)} passed.\n\n| | check |"
    )
    assert job.outputs == {"passed": "true", "url-kind": "custom-domain", "junit": str(job.junit)}
    properties = {p.get("name"): p.get("value") for p in ElementTree.parse(job.junit).iter("property")}  # noqa: S314
    assert properties["url-kind"] == "custom-domain"
    assert str(properties["software"]).startswith("pennyworth ")
    assert "localhost" not in job.junit.read_text()
    assert KEY not in job.junit.read_text() + report


def test_a_certificate_that_is_not_valid_is_told_and_the_api_url_is_tried(
    job: Job, gateway: str, certificate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tls(certificate, gateway) as domain:
        job.deployed(domain=domain, api=gateway)
        report = job.run(SKIP="chat,stream")
    assert report.startswith(
        f"Tested the API URL `{gateway}`, because the custom domain does not work: its certificate"
    )
    assert job.outputs["url-kind"] == "api"
    assert "::warning title=The custom domain is not tried%3A its certificate is not valid yet::" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("domain", "lack"),
    [(NOWHERE, "its name does not resolve yet"), ("https://127.0.0.1:1/v1", "nothing answers there yet")],
)
def test_a_domain_that_can_t_be_reached_is_waited_for_and_told(
    job: Job, gateway: str, domain: str, lack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_smoke, "_PAUSE_SECONDS", 0.1)
    tries: list[str] = []
    missing = smoke.Endpoint.diagnose

    def counted(endpoint: smoke.Endpoint, timeout: float = 10.0) -> smoke.Unreachable | None:
        tries.append(endpoint.host)
        return missing(endpoint, timeout)

    monkeypatch.setattr(smoke.Endpoint, "diagnose", counted)
    job.deployed(domain=domain, api=gateway)
    assert lack in job.run(SKIP="chat,stream", WAIT_SECONDS="0.5")
    assert len(tries) > 1
    with pytest.raises(OperationFailed) as failure:
        job.run(REQUIRE_DOMAIN="true")
    assert failure.value.title == f"The custom domain does not work: {lack}"
    job.deployed(domain=domain)
    with pytest.raises(OperationFailed) as failure:
        job.run()
    assert "deploy with ExecuteApiEndpoint=yes" in str(failure.value.message)


def test_a_stack_without_a_domain_is_tried_at_its_api_url(
    job: Job, gateway: str, capsys: pytest.CaptureFixture[str]
) -> None:
    job.deployed(api=gateway)
    report = job.run(SKIP="chat,stream")
    assert report.startswith(f"Tested the API URL `{gateway}`: 8 passed, 3 skipped.")
    assert "::warning" not in capsys.readouterr().out
    with pytest.raises(OperationFailed, match="BASE_DOMAIN") as failure:
        job.run(REQUIRE_DOMAIN="true")
    assert "no custom domain" in failure.value.title


def test_of_an_emulator_every_domain_is_at_its_one_address(job: Job, gateway: str) -> None:
    job.deployed(domain="https://api.example.com/v1", api=NOWHERE)
    report = job.run(AWS_ENDPOINT_URL=gateway.removesuffix("/v1"), REQUIRE_DOMAIN="true", SKIP="chat,stream")
    assert report.startswith("Tested the custom domain `https://api.example.com/v1`: 8 passed, 3 skipped.")


def test_the_first_origin_that_the_stack_allows_is_the_one_that_is_tried(job: Job, gateway: str) -> None:
    job.deployed(api=gateway, origins="*, https://other.example.com")
    with pytest.raises(OperationFailed) as failure:
        job.run(SKIP="chat,stream")
    assert failure.value.detail.startswith("cors: web pages of https://other.example.com may not call it")


def test_what_failed_is_told_and_handed_on(job: Job, gateway: str) -> None:
    job.deployed(api=gateway)
    with pytest.raises(OperationFailed) as failure:
        job.run(LITELLM_API_KEYS="sk-not-this-one", SKIP="chat,stream")
    assert failure.value.detail.startswith("models: HTTP 401")
    assert job.outputs["passed"] == "false"
    (suite,) = ElementTree.parse(job.junit).getroot()  # noqa: S314
    assert int(suite.get("failures", "")) == len(failure.value.detail.splitlines()) == 1
    assert "sk-not-this-one" not in job.junit.read_text() + failure.value.detail


def test_a_check_that_there_is_not_is_refused_before_anything_is_tried(job: Job) -> None:
    with pytest.raises(OperationFailed, match="chat, stream") as failure:
        job.run(SKIP="chat,streams")
    assert failure.value.title == "There is no smoke test named streams"


def test_a_stack_without_an_endpoint(job: Job) -> None:
    job.deployed()
    with pytest.raises(OperationFailed, match="correct STACK_NAME"):
        job.run()


def test_results_that_can_t_be_written(job: Job, gateway: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    job.deployed(api=gateway)
    with pytest.raises(OperationFailed, match="Choose another file"):
        job.run(JUNIT=str(tmp_path / "file" / "smoke.xml"), SKIP="chat,stream")
