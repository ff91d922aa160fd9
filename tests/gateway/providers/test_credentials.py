"""What the LiteLLM lane signs and calls with: parameters that change while it runs, and the function's own role."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import openai
import pytest
from tests.gateway.conftest import KEY, RunningGateway
from tests.gateway.providers.conftest import PROVIDERS
from tests.gateway.providers.fake import Answer, Fake

from pennyworth.local.aws.server import LocalAws

REGION = "eu-west-1"
PATH = "/endpoint/credentials"
QUESTION: Any = [{"role": "user", "content": "What is the capital of France?"}]
ROLE = {
    # a role's, as Lambda puts them into a function's environment
    "AWS_ACCESS_KEY_ID": "ASIAROLE0123456789",
    "AWS_SECRET_ACCESS_KEY": "role-secret",
    "AWS_SESSION_TOKEN": "role-token",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def put(aws: LocalAws) -> Callable[[str, str], None]:
    given = aws.environ(REGION)
    ssm = boto3.client(
        "ssm",
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )

    def put(name: str, value: str) -> None:
        ssm.put_parameter(Name=f"{PATH}/{name}", Value=value, Type="SecureString", Overwrite=True)

    return put


@pytest.fixture(scope="module", params=["sources", "package"])
def gateway(
    request: pytest.FixtureRequest,
    aws: LocalAws,
    put: Callable[[str, str], None],
    fakes: dict[str, Fake],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningGateway]:
    """A gateway whose credentials are parameters and a role."""
    put("ANTHROPIC_API_KEY", "sk-ant-first")
    claude = {"model": PROVIDERS["anthropic"].model, "api_base": fakes["anthropic"].url}
    bedrock = {"model": PROVIDERS["bedrock"].model, "aws_bedrock_runtime_endpoint": fakes["bedrock"].url}
    models = {
        "usual": claude,
        "referred": {**claude, "api_key": "os.environ/ANTHROPIC_API_KEY"},
        "bedrock": bedrock,
    }
    config = {
        "model_list": [{"model_name": name, "litellm_params": params} for name, params in models.items()]
    }
    package: Path | None = request.getfixturevalue("trimmed_package") if request.param == "package" else None
    folder = tmp_path_factory.mktemp("credentials")
    environ = {
        **ROLE,
        "LITELLM_API_KEYS": KEY,
        "PENNYWORTH_PARAMETERS": PATH,
        "PENNYWORTH_REFRESH_SECONDS": "0.3",
        "AWS_ENDPOINT_URL_SSM": aws.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    running = RunningGateway(config, environ, package, folder)
    try:
        running.logged(lambda line: line.get("message") == "litellm loaded", seconds=60)
        yield running
    finally:
        running.stop()


def ask(gateway: RunningGateway, model: str, fake: Fake) -> dict[str, str]:
    """The headers that arrive at the provider."""
    fake.told(Answer())
    gateway.client().chat.completions.create(model=model, messages=QUESTION)
    return dict(fake.received[0].headers)


@pytest.mark.parametrize("model", ["usual", "referred"])
def test_a_provider_s_key_is_replaced_while_the_gateway_runs(
    gateway: RunningGateway, fakes: dict[str, Fake], put: Callable[[str, str], None], model: str
) -> None:
    put("ANTHROPIC_API_KEY", f"sk-ant-{model}-1")
    for key in (f"sk-ant-{model}-1", f"sk-ant-{model}-2"):
        put("ANTHROPIC_API_KEY", key)
        until = time.monotonic() + 10
        while (sent := ask(gateway, model, fakes["anthropic"])["x-api-key"]) != key:
            assert time.monotonic() < until, f"still {sent}"
            time.sleep(0.1)


def test_bedrock_is_called_as_the_function_s_role(gateway: RunningGateway, fakes: dict[str, Fake]) -> None:
    for _ in range(2):
        headers = ask(gateway, "bedrock", fakes["bedrock"])
        scope = headers["authorization"].split("Credential=")[1].split(",")[0].split("/")
        assert (scope[0], scope[2], scope[3]) == (ROLE["AWS_ACCESS_KEY_ID"], REGION, "bedrock")
        assert headers["x-amz-security-token"] == ROLE["AWS_SESSION_TOKEN"]


def test_the_role_stays_where_a_parameter_bears_the_name_of_its_key(
    gateway: RunningGateway, fakes: dict[str, Fake], put: Callable[[str, str], None]
) -> None:
    put("AWS_ACCESS_KEY_ID", "AKIASOMEBODYELSE")
    gateway.logged(lambda line: line.get("name") == "AWS_ACCESS_KEY_ID" or _asked(gateway))
    assert ROLE["AWS_ACCESS_KEY_ID"] in ask(gateway, "bedrock", fakes["bedrock"])["authorization"]


def _asked(gateway: RunningGateway) -> bool:
    """Have it read the parameters; never what is waited for."""
    with pytest.raises(openai.AuthenticationError):
        gateway.client(api_key="unknown").models.list()
    return False
