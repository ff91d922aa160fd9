"""Which deployment a call is tried on, and what a request keeps while settings change."""

from typing import Any

import openai
import pytest
from tests.gateway.conftest import UPSTREAM_KEY, Start
from tests.gateway.test_direct import QUESTION

from pennyworth.gateway.bodies import Body
from pennyworth.gateway.call import Call
from pennyworth.gateway.endpoints import ENDPOINTS
from pennyworth.gateway.router import Router
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.wsgi import Request
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

CHAT = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "chat_completions")
CALL = Call(Request({}, "POST", "/"), CHAT, Body(), "m", False)


def settings(*weights: Any) -> Settings:
    entries = [
        {
            "model_name": "m",
            "litellm_params": {"model": f"openai/{index}", "weight": weight, "api_key": "sk-123456"},
        }
        for index, weight in enumerate(weights)
    ]
    return Settings.of({"model_list": entries}, {})


def firsts(*weights: Any) -> list[str]:
    router = Router(settings(*weights))
    return [next(router.attempts(CALL)).deployment.model for _ in range(400)]


def test_deployments_share_calls_by_weight() -> None:
    assert 240 < firsts(3, 1).count("0") < 360
    assert 140 < firsts(None, None).count("0") < 260


def test_a_deployment_of_no_weight_rests_unless_all_do() -> None:
    assert set(firsts(0, 1, "0")) == {"1"}
    assert set(firsts(0, 0)) == {"0", "1"}


def test_each_deployment_is_tried_once() -> None:
    for _ in range(20):
        tried = [attempt.deployment.model for attempt in Router(settings(1, 2, 3)).attempts(CALL)]
        assert sorted(tried) == ["0", "1", "2"]


def test_upstreams_are_resolved_when_settings_are_made() -> None:
    environ = {"OPENAI_API_KEY": "sk-first-key", "OPENAI_BASE_URL": "https://one.example/v1/"}
    made = Settings.of(
        {"model_list": [{"model_name": "*", "litellm_params": {"model": "openai/*"}}]}, environ
    )
    environ["OPENAI_API_KEY"] = "sk-second-key"
    (attempt,) = Router(made).attempts(CALL)
    assert attempt.upstream.base_url == "https://one.example/v1"
    assert attempt.upstream.headers["Authorization"] == "Bearer sk-first-key"
    assert attempt.upstream.scrubbed("a sk-first-key b sk-second-key") == "a *** b sk-second-key"
    assert "sk-first-key" not in repr(attempt)
    assert attempt.upstream is made.upstream(made.config.deployments[0])


def test_what_was_never_sent_is_sent_elsewhere(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    with ScriptedUpstream() as dead:
        nowhere = dead.base_url
    bases = [nowhere] * 3 + [upstream.base_url]
    gateway = start_gateway(
        {
            "model_list": [
                {
                    "model_name": "smart",
                    "litellm_params": {"model": "openai/m", "api_base": base, "api_key": UPSTREAM_KEY},
                }
                for base in bases
            ]
        }
    )
    for _ in range(10):
        assert gateway.client().chat.completions.create(model="smart", messages=QUESTION).choices
    tried = [line.get("attempts", 1) for line in gateway.lines if line.get("message") == "request"]
    assert max(tried) > 1


def test_the_lowest_order_comes_first() -> None:
    entries = [
        {"model_name": "m", "litellm_params": {"model": f"openai/{n}", "order": n, "api_key": "sk-123456"}}
        for n in (2, 1, 3, None)
    ]
    made = Settings.of({"model_list": entries}, {})
    assert [each.deployment.model for each in Router(made).attempts(CALL)] == ["1", "2", "3", "None"]


@pytest.mark.parametrize("share", ["rpm", "tpm"])
def test_limits_are_shares(share: str) -> None:
    entries = [
        {"model_name": "m", "litellm_params": {"model": f"openai/{n}", share: n, "api_key": "sk-123456"}}
        for n in (9, 1)
    ]
    router = Router(Settings.of({"model_list": entries}, {}))
    assert 320 < [next(router.attempts(CALL)).deployment.model for _ in range(400)].count("9") < 395


def test_one_of_three_alive_answers_every_call(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    with ScriptedUpstream() as dead:
        nowhere = dead.base_url
    with ScriptedUpstream(Answer(status=500, message="broken")) as failing:
        entries = [
            {
                "model_name": "smart",
                "litellm_params": {"model": "openai/m", "api_base": base, "api_key": UPSTREAM_KEY},
            }
            for base in (nowhere, failing.base_url, upstream.base_url)
        ]
        client = start_gateway({"model_list": entries}).client()
        for stream in [False, True] * 15:
            answer = client.chat.completions.create(model="smart", messages=QUESTION, stream=stream)
            assert list(answer) if stream else answer.choices
        assert failing.requests
    assert len(upstream.requests) == 30


@pytest.mark.parametrize(
    "answer",
    [Answer(status=400), Answer(status=504), Answer(status=500, headers=(("x-should-retry", "false"),))],
)
def test_what_another_would_refuse_or_be_paid_for_is_not_sent_there(
    start_gateway: Start, upstream: ScriptedUpstream, answer: Answer
) -> None:
    params = {"model": "openai/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    entry = {"model_name": "smart", "litellm_params": params}
    gateway = start_gateway({"model_list": [entry, entry]})
    upstream.answer = answer
    with pytest.raises(openai.APIStatusError):
        gateway.client().chat.completions.create(model="smart", messages=QUESTION)
    assert len(upstream.requests) == 1


def test_what_an_upstream_may_have_worked_on_is_not_sent_elsewhere(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    entry = {
        "model_name": "smart",
        "litellm_params": {"model": "openai/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY},
    }
    gateway = start_gateway({"model_list": [entry, entry]})
    upstream.answer = Answer(fault="cut")
    with pytest.raises(openai.InternalServerError):
        gateway.client().chat.completions.create(model="smart", messages=QUESTION)
    assert len(upstream.requests) == 1
