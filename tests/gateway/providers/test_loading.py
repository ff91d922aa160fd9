"""How the SDK is loaded: in the background, once, and what is said while it is not there or can't be had."""

import http.client
import sysconfig
import threading
import time
from pathlib import Path

import openai
import pytest
from tests.gateway.conftest import RunningGateway, Start
from tests.gateway.providers.fake import Fake
from tests.gateway.providers.wires import Answer

from pennyworth.gateway.config import Deployment
from pennyworth.gateway.lanes import litellm
from pennyworth.gateway.upstreams import Upstream
from pennyworth.host.places import ROOT

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
CONFIG = {
    "model_list": [{"model_name": "claude", "litellm_params": {"model": "anthropic/claude", "api_key": "sk"}}]
}


@pytest.fixture
def broken_sdk(tmp_path: Path) -> Path:
    """A package whose LiteLLM takes two seconds to find out that it can't be imported."""
    (tmp_path / "pennyworth").symlink_to(ROOT / "src" / "pennyworth")
    for name in ("waitress", "yaml"):
        (tmp_path / name).symlink_to(Path(sysconfig.get_paths()["purelib"]) / name)
    (tmp_path / "litellm.py").write_text(
        "import time\nprint('importing', flush=True)\ntime.sleep(2)\nraise ImportError('half of it is missing')\n"
    )
    return tmp_path


def test_an_import_that_fails(start_gateway: Start, broken_sdk: Path) -> None:
    gateway = start_gateway(CONFIG, package=broken_sdk)
    failures: list[openai.APIStatusError] = []

    def ask() -> None:
        with pytest.raises(openai.InternalServerError) as failed:
            gateway.client().chat.completions.create(model="claude", messages=QUESTION)
        failures.append(failed.value)

    threads = [threading.Thread(target=ask) for _ in range(3)]  # while it is imported: they wait
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    ask()  # and afterwards
    assert [failure.code for failure in failures] == ["gateway_misconfigured"] * 4
    assert gateway.output.count("importing\n") == 1
    logged = gateway.logged(lambda line: line["level"] == "error")
    assert "half of it is missing" in logged["reason"]
    assert "Error: " in logged["exception"][0]


def test_a_client_that_leaves_meanwhile(start_gateway: Start, broken_sdk: Path) -> None:
    gateway = start_gateway(CONFIG, package=broken_sdk)
    with pytest.raises(openai.APITimeoutError):
        gateway.client(timeout=0.3).chat.completions.create(model="claude", messages=QUESTION)
    left = gateway.logged(lambda line: line.get("error") == "client_disconnected", seconds=1)
    assert left["ms"] < 1500
    assert not [line for line in gateway.lines if line["level"] == "error"], "the import was over first"


def test_everything_else_answers_meanwhile(start_gateway: Start) -> None:
    gateway = start_gateway(CONFIG, fresh=True)
    waits = []
    while not any(line.get("message") == "litellm loaded" for line in gateway.lines):
        began = time.monotonic()
        connection = http.client.HTTPConnection(gateway.address.removeprefix("http://"), timeout=5)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()
        waits.append(time.monotonic() - began)
        time.sleep(0.02)
    assert len(waits) > 10
    assert sorted(waits)[len(waits) // 2] < 0.25, "an import without short turns makes every one wait"


def test_the_sdk_is_not_loaded_for_direct_models(gateway: RunningGateway, start_gateway: Start) -> None:
    params = {"model": "openai/gpt-5", "api_key": "sk"}
    direct = start_gateway({"model_list": [{"model_name": "smart", "litellm_params": params}]})
    with pytest.raises(AssertionError):
        direct.logged(lambda line: line.get("message") == "litellm loaded", seconds=1)
    assert gateway.logged(lambda line: line.get("message") == "litellm loaded")


def test_a_provider_named_by_the_environment(start_gateway: Start, fakes: dict[str, Fake]) -> None:
    fake = fakes["anthropic"]
    secret = "sk-ant-of-the-environment"
    gateway = start_gateway(
        None,
        env={
            "LITELLM_MODEL_PROVIDER": "anthropic",
            "ANTHROPIC_API_KEY": secret,
            "ANTHROPIC_API_BASE": fake.url,
        },
    )
    client = gateway.client()
    names = {model.id for model in client.models.list()}
    assert "claude-sonnet-4-5" in names
    fake.told(Answer())
    answer = client.chat.completions.create(model="claude-sonnet-4-5", messages=QUESTION)
    assert answer.choices[0].message.content == "".join(Answer().text)
    assert fake.received[0].headers["x-api-key"] == secret
    assert fake.received[0].body["model"] == "claude-sonnet-4-5"
    fake.told(Answer(status=401, message=f"invalid x-api-key {secret}"))
    with pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model="claude-sonnet-4-5", messages=QUESTION)
    assert secret not in refused.value.response.text


def test_missing_credentials_are_the_gateways_fault(start_gateway: Start) -> None:
    gateway = start_gateway(
        {"model_list": [{"model_name": "claude", "litellm_params": {"model": "anthropic/claude"}}]}
    )
    with pytest.raises(openai.InternalServerError) as failed:
        gateway.client().chat.completions.create(model="claude", messages=QUESTION)
    assert (failed.value.status_code, failed.value.code) == (500, "gateway_misconfigured")
    assert gateway.logged(lambda line: line["level"] == "error")["reason"] == "AuthenticationError"


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("anthropic", "claude-sonnet-4-5"),
        ("gemini", "gemini-2.5-flash"),
        ("bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("cohere", "command-a-03-2025"),
    ],
)
def test_the_models_of_a_provider(provider: str, model: str) -> None:
    names = litellm.models(Upstream(Deployment("*", provider, "*", "litellm")))
    assert model in names
    assert not any(name.startswith(f"{provider}/") for name in names)
