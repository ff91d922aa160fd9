"""The demo's providers: their configurations, and how their credentials are found and handed on."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from pennyworth.gateway import config
from pennyworth.local import demo
from pennyworth.local.demo.announcement import announcement
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
    assert parsed.ignored == ()


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


@pytest.mark.parametrize("known", [True, False])
def test_the_domain_is_told_where_it_resolves(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if not known:
            raise socket.gaierror(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    endpoint = Endpoint("http://127.0.0.1:80/x/v1", "http://api.d.localhost:80/v1", "127.0.0.1", 80, "log")
    text = announcement(endpoint, "sk-1", [("one", "directly")], Path("config.yaml"))
    assert f"base URL  {endpoint.domain_url if known else endpoint.url}\n" in text
    assert ("--resolve api.d.localhost:80:127.0.0.1" in text) is not known


def test_serving_ends_with_the_local_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_LOOK_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    gone = Endpoint(f"http://127.0.0.1:{port}/v1", "http://api.d.localhost/v1", "127.0.0.1", port, "log")
    with pytest.raises(demo.DemoFailed, match="the local AWS has stopped"):
        demo.Demo(gone, "sk-1", (), Path("config.yaml")).wait()
