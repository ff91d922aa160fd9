"""The direct lane from the function's packages, which hold nothing but what they need."""

from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import UPSTREAM_KEY, RunningGateway, Start

from pennyworth.local.llm.scripted import ScriptedUpstream

QUESTION: Any = [{"role": "user", "content": "What is the capital of France?"}]
TEXT = "The capital of France is Paris."


@pytest.fixture(params=["direct_package", "trimmed_package"])
def packaged(
    request: pytest.FixtureRequest, start_gateway: Start, upstream: ScriptedUpstream
) -> RunningGateway:
    """A gateway that runs from a package."""
    package: Path = request.getfixturevalue(request.param)
    params = {"model": "openai/real-name", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    return start_gateway({"model_list": [{"model_name": "smart", "litellm_params": params}]}, package=package)


def test_an_answer(packaged: RunningGateway) -> None:
    answer = packaged.client().chat.completions.create(model="smart", messages=QUESTION)
    assert answer.choices[0].message.content == TEXT


def test_a_streamed_answer(packaged: RunningGateway) -> None:
    chunks = packaged.client().chat.completions.create(model="smart", messages=QUESTION, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
