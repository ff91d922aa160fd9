"""LiteLLM is imported beside the first requests, or before them where Lambda freezes an environment in between."""

import threading
from typing import Any

import pytest

from pennyworth.gateway.lanes import litellm
from pennyworth.gateway.settings import Settings

SETTINGS = Settings.of({"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m"}}]}, {})


@pytest.mark.parametrize(
    ("initialization", "waits"),
    [("", False), ("on-demand", False), ("provisioned-concurrency", True), ("snap-start", True)],
)
def test_it_is_waited_for_where_the_environment_is_frozen_next(
    monkeypatch: pytest.MonkeyPatch, initialization: str, waits: bool
) -> None:
    goes_on, sdk = threading.Event(), litellm._Sdk()

    def load(_settings: Settings) -> Any:
        assert goes_on.wait(5)
        return litellm

    monkeypatch.setattr(litellm, "_load", load)
    monkeypatch.setattr(litellm, "_sdk", sdk)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", initialization)
    if waits:
        threading.Timer(0.05, goes_on.set).start()
    litellm.prepare(SETTINGS)
    assert sdk._done.is_set() is waits
    goes_on.set()
    sdk.wait()
    assert sdk._module is litellm
