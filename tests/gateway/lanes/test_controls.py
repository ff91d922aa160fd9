"""What steers LiteLLM stays here: no upstream gets it, and no caller leads a call elsewhere with it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from pennyworth.gateway.bodies import Body
from pennyworth.gateway.call import Attempt, Call
from pennyworth.gateway.endpoint import Endpoint
from pennyworth.gateway.endpoints import ENDPOINTS
from pennyworth.gateway.lanes import direct, litellm
from pennyworth.gateway.lanes.controls import is_control, without_controls
from pennyworth.gateway.router import Router
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.wsgi import Request

BASE = "https://operator.example/v1"
CONTROLS: dict[str, Any] = {
    "api_base": "https://elsewhere.example",
    "api_key": "sk-of-the-caller",
    "api_version": "2024-10-21",
    "aws_secret_access_key": "of-the-caller",
    "base_url": "https://elsewhere.example",
    "cache": {"no-cache": True},
    "extra_headers": {"X-Mine": "1"},
    "fallbacks": [{"model": "openai/other"}],
    "guardrails": ["pii"],
    "litellm_metadata": {"team": "a"},
    "litellm_trace_id": "t",
    "mock_response": "hello",
    "num_retries": 3,
    "tags": ["free"],
    "timeout": 5,
}
OPENAIS = {
    "metadata": {"tags": "mine"},
    "user": "u",
    "store": True,
    "prompt_cache_key": "k",
    "service_tier": "auto",
    "invented_yesterday": {"api_key": "within another field"},
}


def call_with(fields: dict[str, Any], params: dict[str, Any]) -> tuple[Call, Attempt]:
    given = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    chat = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "chat_completions")
    raw = json.dumps(given).encode()
    call = Call(Request({}, "POST", "/"), chat, Body(raw, "application/json", given), "m", False)
    entry = {"model_name": "m", "litellm_params": {"api_base": BASE, "api_key": "sk-operator", **params}}
    return call, next(Router(Settings.of({"model_list": [entry]}, {})).attempts(call))


def sent_by_direct(call: Call, attempt: Attempt) -> bytes:
    return direct._body(call, direct._fields(call, attempt.upstream, attempt.deployment))


def test_the_direct_lane_keeps_them_from_the_upstream() -> None:
    call, attempt = call_with({**CONTROLS, **OPENAIS}, {"model": "openai/m"})
    sent = json.loads(sent_by_direct(call, attempt))
    assert sent == {"model": "m", "messages": call.body.fields["messages"], **OPENAIS}


@pytest.mark.parametrize("name", CONTROLS)
def test_each_of_them_is_enough(name: str) -> None:
    call, attempt = call_with({name: CONTROLS[name]}, {"model": "openai/m"})
    assert name not in json.loads(sent_by_direct(call, attempt))


def test_without_them_the_bytes_stay() -> None:
    call, attempt = call_with(OPENAIS, {"model": "openai/m"})
    assert sent_by_direct(call, attempt) is call.body.raw


def test_the_operators_own_are_sent() -> None:
    call, attempt = call_with({"tags": ["mine"]}, {"model": "openai/m", "extra_body": {"tags": ["theirs"]}})
    assert json.loads(sent_by_direct(call, attempt))["tags"] == ["theirs"]


def test_a_parameter_that_nobody_knows_is_the_providers_own() -> None:
    params = {"model": "openai/m", "num_ctx": 4096, "keep_alive": "8m", "tags": ["a"], "aws_region_name": "x"}
    call, attempt = call_with({"keep_alive": "1m"}, params)
    sent = json.loads(sent_by_direct(call, attempt))
    assert sent.keys() - {"model", "messages"} == {"num_ctx", "keep_alive"}
    assert (sent["num_ctx"], sent["keep_alive"]) == (4096, "1m")


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("name", CONTROLS)
def test_on_the_litellm_lane_nobody_can_let_a_caller_steer(name: str, drop: bool) -> None:
    params = {"model": "anthropic/claude", "allowed_openai_params": [name], "timeout": 7, "drop_params": drop}
    call, attempt = call_with({name: CONTROLS[name]}, params)
    arguments = litellm._arguments(SimpleNamespace(drop_params=False), call, attempt)
    assert (arguments["api_base"], arguments["api_key"], arguments["timeout"]) == (BASE, "sk-operator", 7)
    assert arguments.get(name) != CONTROLS[name]


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"trace_id": "t"}},
        {"metadata": {"tags": ["a"]}, "store": True},
        {"metadata": "t", "store": True},
    ],
)
def test_metadata_that_openai_would_refuse_is_for_litellm(fields: dict[str, Any]) -> None:
    call, attempt = call_with(fields, {"model": "openai/m"})
    assert "metadata" not in json.loads(sent_by_direct(call, attempt))


def test_the_sdk_gets_the_settings_that_are_its_own() -> None:
    wanted = {"modify_params": True, "vertex_project": "os.environ/PROJECT", "drop_params": "yes"}
    others = {"success_callback": ["x"], "telemetry": True, "set_verbose": True}
    entry = {"model_name": "m", "litellm_params": {"model": "anthropic/m", "api_key": "k"}}
    document = {"model_list": [entry], "litellm_settings": {**wanted, **others}}
    sdk = SimpleNamespace()
    litellm.set_up(sdk, Settings.of(document, {"PROJECT": "p"}))
    assert (sdk.modify_params, sdk.vertex_project, sdk.drop_params) == (True, "p", True)
    assert not hasattr(sdk, "success_callback") and not hasattr(sdk, "set_verbose")
    assert sdk.telemetry is litellm._SETTINGS["telemetry"]


def _known_to_openai(endpoint: Endpoint) -> set[str]:
    return set(litellm._openai_fields(endpoint.fields_type)) if endpoint.fields_type else set()


def test_nothing_of_openais_and_no_providers_field_is_among_them() -> None:
    known = set().union(*map(_known_to_openai, ENDPOINTS)) | litellm._PROVIDER_FIELDS
    assert not [name for name in known if is_control(name)]
    assert without_controls(fields := dict.fromkeys(known - {"metadata"})) is fields
