"""What the gateway says of its configuration when it starts, and which keys open it."""

import json
from typing import Any

import pytest
from tests.gateway.conftest import KEY, UPSTREAM_KEY, RunningGateway, Start
from tests.gateway.test_app import ANONYMOUS, CHAT, error
from tests.gateway.test_direct import QUESTION, plain

from pennyworth.gateway.config import ConfigError
from pennyworth.gateway.server import serve
from pennyworth.local.llm.scripted import ScriptedUpstream

LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "endpoint"}


def entry(name: str, upstream: ScriptedUpstream, **params: Any) -> dict[str, Any]:
    given = {"model": "openai/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY, **params}
    return {"model_name": name, "litellm_params": given}


def opens(gateway: RunningGateway, key: str) -> bool:
    return plain(gateway, "GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})[0] == 200


def test_what_is_not_in_effect_is_said_and_the_rest_serves(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    config = {
        "model_list": [
            entry("good", upstream),
            entry("slow", upstream, timeout="soon"),
            entry("unset", upstream, api_key="os.environ/NOT_SET"),
            entry("nowhere", upstream, api_base="x.example/v1"),
        ],
        "general_settings": {"master_key": "os.environ/NO_MASTER"},
    }
    gateway = start_gateway(config)
    listening = gateway.logged(lambda line: line.get("message") == "listening")
    assert (listening["models"], listening["keys"]) == (3, 1)
    said = [line for line in gateway.lines if line["level"] != "info"]
    assert [(line["level"], line["message"]) for line in said] == [
        ("error", "setting refused"),
        ("warning", "environment variable not set"),
        ("warning", "environment variable not set"),
        ("warning", "model can't be called"),
    ]
    assert "litellm_params.timeout: a number is expected" in said[0]["reason"]
    assert {line["variable"] for line in said[1:3]} == {"NOT_SET", "NO_MASTER"}
    assert said[3]["model"] == "nowhere" and "must begin with https" in said[3]["reason"]
    for name, status, code in (
        ("good", 200, None),
        ("slow", 500, "gateway_misconfigured"),
        ("unset", 500, "gateway_misconfigured"),
        ("nowhere", 500, "gateway_misconfigured"),
        ("other", 404, "model_not_found"),
    ):
        answered, _, body = plain(
            gateway, "POST", CHAT, json.dumps({"model": name, "messages": QUESTION}).encode()
        )
        assert (answered, error(body)["code"] if code else None) == (status, code)


def test_keys_that_do_something_else_here_are_told_by_grade(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    config = {
        "model_list": [entry("a", upstream, tags=["x"]), entry("b", upstream, tags=["x"], rpm=3)],
        "litellm_settings": {"callbacks": ["x"], "set_verbose": True, "drop_params": True},
        "general_settings": {"custom_auth": "a.b", "allowed_ips": ["10.0.0.1"]},
        "pennyworth_settings": {"acknowledged": ["general_settings.allowed_ips"]},
    }
    gateway = start_gateway(config)
    gateway.logged(lambda line: "act differently" in line["message"])
    told = {line["message"].partition(":")[0]: line for line in gateway.lines if "settings" in line}
    assert [(name, line["level"], line["settings"]) for name, line in told.items()] == [
        (
            "settings have no effect",
            "warning",
            ["litellm_params.tags", "litellm_settings.callbacks", "general_settings.allowed_ips"],
        ),
        ("settings act differently", "info", ["litellm_params.rpm"]),
        ("settings that protect have no effect", "error", ["general_settings.custom_auth"]),
    ]


def test_keys_come_from_each_of_their_places(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    config = {
        "model_list": [entry("m", upstream)],
        "environment_variables": {"LITELLM_API_KEYS": "from-the-file, also-from-it"},
        "general_settings": {"master_key": "master"},
    }
    gateway = start_gateway(config, env={"LITELLM_MASTER_KEY": "from-the-environment"})
    assert all(
        opens(gateway, key) for key in ("from-the-file", "also-from-it", "master", "from-the-environment")
    )
    assert not opens(gateway, "other")


@pytest.mark.parametrize(("env", "opening"), [({}, True), (LAMBDA, False)])
def test_weak_keys_open_no_public_gateway(
    start_gateway: Start, upstream: ScriptedUpstream, env: dict[str, str], opening: bool
) -> None:
    config = {"model_list": [entry("m", upstream)], "general_settings": {"master_key": "sk-1234"}}
    gateway = start_gateway(config, env={**env, "LITELLM_API_KEYS": f"weakest,{KEY}"})
    assert [opens(gateway, key) for key in ("sk-1234", "weakest", KEY)] == [opening, opening, True]
    refused = [line["reason"] for line in gateway.lines if line["message"] == "API key refused"]
    assert len(refused) == (0 if opening else 2)
    short = [line["keys"] for line in gateway.lines if line["message"].startswith("API keys are short")]
    assert short == ([] if opening else [1])
    assert not any(key in line for key in ("weakest", KEY) for line in gateway.output)


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_said_in_words(seconds: str) -> None:
    environ = {"LITELLM_MODEL_PROVIDER": "openai", "PENNYWORTH_DRAIN_SECONDS": seconds}
    with pytest.raises(ConfigError, match="PENNYWORTH_DRAIN_SECONDS: a number of seconds above 0"):
        serve("127.0.0.1", 0, environ, config=None, threads=1)


def test_a_gateway_without_keys_says_so(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway({"model_list": [entry("m", upstream)]}, env={"LITELLM_API_KEYS": " , "})
    gateway.logged(lambda line: line["message"].startswith("no API keys"))
    body = plain(gateway, "GET", "/v1/models", headers=ANONYMOUS)[2]
    assert error(body)["code"] == "no_api_keys_configured"


def test_a_hidden_alias_answers_and_is_not_listed(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    config = {
        "model_list": [entry("m", upstream)],
        "router_settings": {"model_group_alias": {"shown": "m", "hidden": {"model": "m", "hidden": True}}},
    }
    gateway = start_gateway(config)
    assert [model.id for model in gateway.client().models.list().data] == ["m", "shown"]
    for name in ("shown", "hidden"):
        assert gateway.client().chat.completions.create(model=name, messages=QUESTION).choices
