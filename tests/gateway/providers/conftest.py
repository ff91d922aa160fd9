"""One gateway before a fake of every provider that goes the LiteLLM lane, from the sources and from the package."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import KEY, RunningGateway
from tests.gateway.providers.fake import Fake
from tests.gateway.providers.wires import Anthropic, BedrockConverse, Cohere, Gemini, OpenAI, Wire


@dataclass(frozen=True)
class Provider:
    """A provider, how the configuration reaches its fake, and what then arrives there."""

    wire: Wire
    model: str
    params: Mapping[str, Any]
    """`litellm_params`; `{url}` stands for the fake's address."""
    secret: str
    paths: tuple[str, str]
    """Of a plain request and of a streamed one."""
    credentials: Mapping[str, str]
    """Request headers, and what they begin with."""
    question: Callable[[dict[str, Any]], str]
    """The user's message in a request's body."""
    tells_usage_in_streams: bool = True
    streams_tools: bool = True


PROVIDERS = {
    "anthropic": Provider(
        Anthropic(),
        "anthropic/claude-sonnet-4-5",
        {"api_base": "{url}", "api_key": "sk-ant-0123456789"},
        "sk-ant-0123456789",
        ("/v1/messages", "/v1/messages"),
        {"x-api-key": "sk-ant-0123456789", "anthropic-version": "2023-06-01"},
        lambda body: str(body["messages"][0]["content"][0]["text"]),
    ),
    "gemini": Provider(
        Gemini(),
        "gemini/gemini-2.5-flash",
        {"api_base": "{url}", "api_key": "AIzaSy0123456789"},
        "AIzaSy0123456789",
        (
            "/models/gemini-2.5-flash:generateContent",
            "/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        ),
        {"x-goog-api-key": "AIzaSy0123456789"},
        lambda body: str(body["contents"][0]["parts"][0]["text"]),
    ),
    "bedrock": Provider(
        BedrockConverse(),
        "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0",
        {
            "aws_bedrock_runtime_endpoint": "{url}",
            "aws_access_key_id": "AKIDEXAMPLE0123",
            "aws_secret_access_key": "wJalrXUtnFEMI-0123456789",
            "aws_region_name": "eu-central-1",
        },
        "wJalrXUtnFEMI-0123456789",
        (
            "/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse",
            "/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse-stream",
        ),
        {"authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE0123/"},
        lambda body: str(body["messages"][0]["content"][0]["text"]),
    ),
    "cohere": Provider(
        Cohere(),
        "cohere/command-a-03-2025",
        {"api_base": "{url}/v2/chat", "api_key": "co-0123456789"},
        "co-0123456789",
        ("/v2/chat", "/v2/chat"),
        {"authorization": "Bearer co-0123456789", "accept": "application/json"},
        lambda body: str(body["messages"][0]["content"]),
        # LiteLLM 1.106 misses message-end and tool-call events in the streams of Cohere's v2 API
        tells_usage_in_streams=False,
        streams_tools=False,
    ),
    "azure": Provider(
        OpenAI(),
        "azure/my-deployment",
        {"api_base": "{url}", "api_key": "az-0123456789", "api_version": "2024-10-21"},
        "az-0123456789",
        ("/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21",) * 2,
        {"api-key": "az-0123456789"},
        lambda body: str(body["messages"][0]["content"]),
    ),
}


@pytest.fixture(params=list(PROVIDERS))
def name(request: pytest.FixtureRequest) -> str:
    """Each provider's name, which is also its model's."""
    return str(request.param)


@pytest.fixture
def provider(name: str) -> Provider:
    """What is known of the provider."""
    return PROVIDERS[name]


@pytest.fixture
def fake(name: str, fakes: dict[str, Fake]) -> Fake:
    """The running fake of the provider."""
    return fakes[name]


@pytest.fixture(scope="session")
def fakes() -> Iterator[dict[str, Fake]]:
    """A running fake of each provider."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Fake(provider.wire)) for name, provider in PROVIDERS.items()}


@pytest.fixture(scope="session")
def gateway(fakes: dict[str, Fake], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway with every provider's models, from the sources."""
    with _running(fakes, None, tmp_path_factory.mktemp("sources")) as running:
        yield running


@pytest.fixture(scope="session")
def packaged_gateway(
    fakes: dict[str, Fake], trimmed_package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """The same from the function's trimmed package, and from nothing else."""
    with _running(fakes, trimmed_package, tmp_path_factory.mktemp("package")) as running:
        yield running


@contextmanager
def _running(fakes: dict[str, Fake], package: Path | None, folder: Path) -> Iterator[RunningGateway]:
    """A gateway that has loaded LiteLLM.

    Beside each provider's own model it serves NAME-impatient (a timeout of a second), NAME-lenient (drop_params) and
    NAME-nobody (an address where nobody listens); and bedrock-guarded with presets.
    """
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        models = []
        for name, provider in PROVIDERS.items():
            params = _params(provider, fakes[name].url)
            models += [
                _model(name, params),
                _model(f"{name}-impatient", {**params, "timeout": 1}),
                _model(f"{name}-lenient", {**params, "drop_params": True}),
                _model(f"{name}-nobody", _params(provider, f"http://127.0.0.1:{nobody.getsockname()[1]}")),
            ]
        guardrail = {"guardrailIdentifier": "strict", "guardrailVersion": "1"}
        guarded = {**_params(PROVIDERS["bedrock"], fakes["bedrock"].url), "guardrailConfig": guardrail}
        models.append(_model("bedrock-guarded", {**guarded, "temperature": 1}))
        environ = {"LITELLM_API_KEYS": KEY}
        running = RunningGateway({"model_list": models}, environ, package, folder, fresh=True)
        try:
            running.logged(lambda line: line.get("message") == "litellm loaded", seconds=60)
            yield running
        finally:
            running.stop()


def _params(provider: Provider, url: str) -> dict[str, Any]:
    params = {name: str(value).replace("{url}", url) for name, value in provider.params.items()}
    return {"model": provider.model, **params}


def _model(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": params, "model_info": {"lane": "litellm"}}
