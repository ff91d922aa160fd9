"""The demo's providers: their configurations, and how their credentials are found and handed on."""

import argparse
import json
import os
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from pennyworth.aws.log_lines import describe_request
from pennyworth.cli import demo as cli
from pennyworth.gateway import config
from pennyworth.gateway.grades import Grade, list_keys
from pennyworth.local import demo
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.demo.announcement import announcement
from pennyworth.local.demo.configuration import NotServable, find_needs
from pennyworth.local.demo.deployment import Endpoint
from pennyworth.local.demo.providers import PROVIDERS, NoCredentials, NotThere

CREDENTIALS = {name for provider in PROVIDERS.values() for names in provider.needs for name in names}


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_configuration_shows_the_lanes_and_lacks_no_variable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = PROVIDERS[name]
    for variable in CREDENTIALS:
        monkeypatch.setenv(variable, "set")
    # where a local one listens does not matter here
    variables = {**provider.variables(), "UPSTREAM_BASE_URL": "http://127.0.0.1:1/v1"}
    parsed = config.parse(yaml.safe_load(provider.configuration("some-model")), variables)
    lanes = {deployment.name: deployment.lane for deployment in parsed.deployments}
    both = {"some-model": "direct", "some-model-litellm": "litellm"}
    assert lanes == (both if name != "bedrock" else {"some-model-litellm": "litellm"})
    assert [deployment.missing for deployment in parsed.deployments if deployment.missing] == []
    document = yaml.safe_load(provider.configuration("some-model"))
    assert {key.row.grade for key in list_keys(document, {})} <= {Grade.EXACT, Grade.HARMLESS}


def test_credentials_are_offered_never_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert demo.offers("smollm2") == []
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    (offer,) = demo.offers("smollm2")
    assert offer == "ANTHROPIC_API_KEY is set. To use Anthropic: make demo ARGS='--provider anthropic'"
    assert demo.offers("anthropic") == []
    assert PROVIDERS["smollm2"].variables() == {}


def test_either_kind_of_bedrock_s_credentials_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    bedrock = PROVIDERS["bedrock"]
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    with pytest.raises(NoCredentials, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or"):
        bedrock.variables()
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-token")
    assert bedrock.variables()["BEDROCK_ACCESS_KEY_ID"] == ""
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert bedrock.variables()["BEDROCK_ACCESS_KEY_ID"] == "AKIA"


class _Ollama(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/version" else 404)
        self.end_headers()


def test_ollama_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    ollama = PROVIDERS["ollama"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{port}")
    with pytest.raises(NotThere, match="ollama serve"), ollama.start():
        pass
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ollama) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        for named in (f"127.0.0.1:{server.server_port}", f"http://0.0.0.0:{server.server_port}"):
            monkeypatch.setenv("OLLAMA_HOST", named)
            with ollama.start() as variables:
                assert variables == {"UPSTREAM_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1"}
        server.shutdown()


def test_the_key_is_this_machine_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENNYWORTH_WORK_DIR", str(tmp_path))
    key = demo.api_key()
    assert len(key) > 32
    assert demo.api_key() == key
    assert (tmp_path / "demo" / "api-key").stat().st_mode & 0o777 == 0o600


def a_demo(endpoint: Endpoint, config: Path) -> demo.Demo:
    aws = LocalAws()
    aws.endpoint, aws.log = f"http://{endpoint.host}:{endpoint.port}", Path("log")
    return demo.Demo(aws, endpoint, "sk-1", (("one", "directly"), ("*", "")), config)


@pytest.mark.parametrize("known", [True, False])
def test_the_base_url_is_the_same_whether_or_not_the_domain_resolves(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if not known:
            raise socket.gaierror(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    endpoint = Endpoint("http://127.0.0.1:80/x/v1", "http://api.d.localhost:80/v1", "127.0.0.1", 80, "log")
    text = announcement(a_demo(endpoint, Path("config.yaml")))
    assert "base URL  http://127.0.0.1:80/v1\n" in text
    assert "\nexport OPENAI_BASE_URL=http://127.0.0.1:80/v1\nexport OPENAI_API_KEY=sk-1\n" in text
    assert '"model": "*"' not in text
    assert ("--resolve api.d.localhost:80:127.0.0.1" in text) is not known


def test_what_a_demo_told_to_export_is_not_taken_for_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-demo-something")
    assert demo.offers("smollm2") == []
    with pytest.raises(NoCredentials):
        PROVIDERS["openai"].variables()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs")
    assert PROVIDERS["openai"].variables()["OPENAI_BASE_URL"] == "http://127.0.0.1:8080/v1"


OWN = """
model_list:
  - model_name: named
    litellm_params: {model: openai/real, api_key: os.environ/MY_KEY, api_base: os.environ/MY_ADDRESS}
  - model_name: plain
    litellm_params: {model: openai/real}
  - model_name: translated
    litellm_params: {model: anthropic/real}
"""


def test_a_configuration_gets_the_variables_that_it_needs_and_no_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(OWN)
    given = {
        "MY_KEY": "one",
        "MY_ADDRESS": "http://here",
        "OPENAI_API_KEY": "two",
        "OPENAI_BASE_URL": "http://there",
    }
    needs = find_needs(config, {**given, "PATH": os.environ["PATH"], "GROQ_API_KEY": "three"})
    assert needs.variables == given
    assert needs.lanes == {"named": "direct", "plain": "direct", "translated": "litellm"}
    told = capsys.readouterr().err
    assert re.search("^  ! translated needs ANTHROPIC_API_KEY.*, which is not set$", told, re.MULTILINE)
    assert "plain" not in told and "two" not in told


def test_a_configuration_without_a_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("model_list: [\n")
    with pytest.raises(NotServable, match=r"No model in .* can be served"):
        find_needs(config, os.environ)
    assert f"  ! {config}: line " in capsys.readouterr().err


def test_a_request_is_a_line_without_what_a_terminal_acts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    line = {"time": "2026-01-02T03:04:05Z", "level": "info", "message": "request", "method": "POST"}
    line |= {"path": "/v1/chat/completions", "model": "a\x1b[2Jb", "status": 200, "ms": 12.6, "caller": "c"}
    shown = "03:04:05  POST  /v1/chat/completions  a?[2Jb  200  13 ms"
    assert describe_request(json.dumps(line)) == shown
    for other in (
        "START RequestId: 1",
        "{",
        "[]",
        json.dumps({"message": "request"}),
        '{"message": "started"}',
    ):
        assert describe_request(other) is None


@pytest.mark.parametrize(
    ("words", "port"), [([], 8080), (["--check"], 0), (["--port", "0"], 0), (["--check", "--port", "81"], 81)]
)
def test_the_port_is_the_same_on_each_run_but_for_checks(words: list[str], port: int) -> None:
    parser = argparse.ArgumentParser()
    cli.arguments(parser)
    assert cli.choose_port(parser.parse_args(words)) == port


def test_serving_ends_with_the_local_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_LOOK_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    gone = Endpoint(f"http://127.0.0.1:{port}/v1", "http://api.d.localhost/v1", "127.0.0.1", port, "log")
    with pytest.raises(demo.DemoFailed, match="the local AWS has stopped"):
        a_demo(gone, Path("config.yaml")).wait()
