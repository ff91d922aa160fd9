"""What is tried once a model's deployments have failed: they again, then the models that stand in for it."""

from typing import Any

import openai
import pytest
from tests.gateway.conftest import UPSTREAM_KEY, RunningGateway, Start
from tests.gateway.test_direct import QUESTION

from pennyworth.gateway import router
from pennyworth.gateway.config import ConfigError, parse
from pennyworth.gateway.errors import UpstreamFailure
from pennyworth.gateway.fallbacks import read_fallbacks
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

TOO_LONG = Answer(status=400, message="This model's maximum context length is 8192 tokens.")
FILTERED = Answer(status=400, message="The response was filtered by Azure's content management policy.")


def entry(name: str, base: str, **params: Any) -> dict[str, Any]:
    return {
        "model_name": name,
        "litellm_params": {"model": f"openai/{name}", "api_base": base, "api_key": UPSTREAM_KEY, **params},
    }


def failure(status: int, message: str = "", *, refused: bool = False, code: str = "") -> UpstreamFailure:
    made = UpstreamFailure(status, message, code=code or None)
    made.refused = refused
    return made


def ask(gateway: RunningGateway, model: str = "smart", *, stream: bool = False) -> Any:
    return gateway.client().chat.completions.with_raw_response.create(
        model=model, messages=QUESTION, stream=stream
    )


@pytest.mark.parametrize("stream", [False, True])
def test_another_model_answers_for_one_that_fails(
    start_gateway: Start, upstream: ScriptedUpstream, stream: bool
) -> None:
    with ScriptedUpstream(Answer(status=503, message="overloaded")) as failing:
        gateway = start_gateway(
            {
                "model_list": [entry("smart", failing.base_url), entry("other", upstream.base_url)],
                "litellm_settings": {"fallbacks": [{"smart": ["other"]}]},
            }
        )
        answer = ask(gateway, stream=stream)
    assert answer.headers["x-litellm-attempted-fallbacks"] == "1"
    assert answer.headers["x-litellm-attempted-retries"] == "0"
    (request,) = upstream.requests
    assert request.payload["model"] == "other"
    assert gateway.logged(lambda line: line.get("message") == "request")["attempts"] == 2


def test_without_a_failure_nothing_is_told(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway({"model_list": [entry("smart", upstream.base_url)]})
    assert not [name for name in ask(gateway).headers if name.startswith("x-litellm")]


@pytest.mark.parametrize(("answer", "kind"), [(TOO_LONG, "context_window"), (FILTERED, "content_policy")])
def test_a_kind_of_failure_has_its_own_models(
    start_gateway: Start, upstream: ScriptedUpstream, answer: Answer, kind: str
) -> None:
    with ScriptedUpstream(answer) as failing, ScriptedUpstream() as unasked:
        gateway = start_gateway(
            {
                "model_list": [
                    entry("smart", failing.base_url),
                    entry("large", upstream.base_url),
                    entry("other", unasked.base_url),
                ],
                "router_settings": {
                    f"{kind}_fallbacks": [{"smart": ["large"]}],
                    "default_fallbacks": ["other"],
                },
            }
        )
        assert ask(gateway).headers["x-litellm-attempted-fallbacks"] == "1"
        assert not unasked.requests


@pytest.mark.parametrize("status", [400, 504])
def test_what_another_model_would_refuse_or_be_paid_for_is_not_sent_there(
    start_gateway: Start, upstream: ScriptedUpstream, status: int
) -> None:
    with ScriptedUpstream(Answer(status=status, message="no")) as failing:
        gateway = start_gateway(
            {
                "model_list": [entry("smart", failing.base_url), entry("other", upstream.base_url)],
                "router_settings": {"fallbacks": [{"*": ["other"]}]},
            }
        )
        with pytest.raises(openai.APIStatusError) as refused:
            ask(gateway)
    assert refused.value.status_code == status
    assert not upstream.requests


def test_a_model_that_stands_in_may_have_one_of_its_own(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    with ScriptedUpstream(Answer(status=429, message="slow down")) as failing:
        gateway = start_gateway(
            {
                "model_list": [
                    entry("smart", failing.base_url),
                    entry("second", failing.base_url),
                    entry("third", upstream.base_url),
                ],
                "router_settings": {
                    "fallbacks": [{"smart": ["missing", "second", "smart"]}, {"second": ["third"]}]
                },
            }
        )
        assert ask(gateway).headers["x-litellm-attempted-retries"] == "0"
        assert len(failing.requests) == 2


def test_no_more_models_are_tried_than_allowed(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    with ScriptedUpstream(Answer(status=429, message="slow down")) as failing:
        names = ["smart", "a", "b"]
        gateway = start_gateway(
            {
                "model_list": [
                    *(entry(name, failing.base_url) for name in names),
                    entry("c", upstream.base_url),
                ],
                "router_settings": {"fallbacks": [{"smart": ["a", "b", "c"]}], "max_fallbacks": 2},
            }
        )
        with pytest.raises(openai.RateLimitError):
            ask(gateway)
        assert len(failing.requests) == 3


def test_a_deployment_is_tried_again_where_asked_for(
    start_gateway: Start, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "_FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(router, "_JITTER_SECONDS", 0.01)
    gateway = start_gateway(
        {
            "model_list": [entry("smart", upstream.base_url, num_retries=2)],
            "router_settings": {"num_retries": 9},
        }
    )
    upstream.answer = Answer(status=503, message="overloaded")
    with pytest.raises(openai.InternalServerError):
        ask(gateway)
    assert len(upstream.requests) == 3
    upstream.answer = Answer(status=401, message="a wrong key stays one")
    with pytest.raises(openai.AuthenticationError):
        ask(gateway)
    assert len(upstream.requests) == 4


def test_no_wait_is_begun_that_the_deadline_would_end(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    gateway = start_gateway({"model_list": [entry("smart", upstream.base_url, num_retries=1, timeout=20)]})
    upstream.answer = Answer(status=429, message="slow down", headers=(("retry-after", "30"),))
    with pytest.raises(openai.RateLimitError) as refused:
        ask(gateway)
    assert refused.value.response.headers["retry-after"] == "30"
    assert len(upstream.requests) == 1


def test_a_deployment_that_failed_comes_last_for_a_while(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    with ScriptedUpstream(Answer(status=500, message="broken")) as failing:
        first = entry("smart", failing.base_url, order=1, cooldown_time=3600)
        gateway = start_gateway({"model_list": [first, entry("smart", upstream.base_url, order=2)]})
        for _ in range(4):
            ask(gateway)
        assert len(failing.requests) == 1


def test_without_cooldowns_it_stays_where_it_is(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    with ScriptedUpstream(Answer(status=500, message="broken")) as failing:
        first = entry("smart", failing.base_url, order=1)
        models = [first, entry("smart", upstream.base_url, order=2)]
        gateway = start_gateway({"model_list": models, "router_settings": {"disable_cooldowns": True}})
        for _ in range(3):
            ask(gateway)
        assert len(failing.requests) == 3


def test_another_entry_answers_for_one_that_is_not_configured(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    keyless = {"model_name": "smart", "litellm_params": {"model": "openai/m", "order": 1}}
    gateway = start_gateway(
        {
            "model_list": [keyless, entry("other", upstream.base_url)],
            "router_settings": {"fallbacks": [{"smart": ["other"]}], "num_retries": 3},
        }
    )
    assert ask(gateway).headers["x-litellm-attempted-retries"] == "0"


def test_the_router_s_own_come_before_litellm_s() -> None:
    found, problems = read_fallbacks(
        {
            "router_settings": {"fallbacks": [{"a": ["b"]}]},
            "litellm_settings": {"fallbacks": [{"a": ["c"]}], "default_fallbacks": ["d"]},
        }
    )
    assert not problems
    assert found.find("a", failure(429, refused=True)) == ("b",)
    assert found.find("other", failure(429, refused=True)) == ("d",)
    assert found.find("a", failure(404)) == ("b",)
    assert found.find("a", failure(400, code="context_length_exceeded")) == ("b",)
    assert found.find("a", failure(400)) == ()
    assert read_fallbacks({"router_settings": {"fallbacks": [{"a": []}]}, "litellm_settings": {}})[1] == []


@pytest.mark.parametrize(
    ("section", "settings", "path"),
    [
        ("router_settings", {"fallbacks": ["a"]}, ("router_settings", "fallbacks", 0)),
        ("litellm_settings", {"fallbacks": [{"a": [1]}]}, ("litellm_settings", "fallbacks", 0, "a")),
        ("router_settings", {"default_fallbacks": {"a": "b"}}, ("router_settings", "default_fallbacks")),
        ("router_settings", {"num_retries": "many"}, ("router_settings", "num_retries")),
        ("router_settings", {"cooldown_time": -1}, ("router_settings", "cooldown_time")),
    ],
)
def test_what_can_not_be_understood_is_told(section: str, settings: dict[str, Any], path: tuple[Any]) -> None:
    made = parse({"model_list": [entry("smart", "https://example.com")], section: settings}, {})
    (problem,) = made.problems
    assert isinstance(problem, ConfigError)
    assert problem.path == path
