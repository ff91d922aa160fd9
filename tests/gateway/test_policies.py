"""How often a kind of failure is tried again, and how many failures a deployment may have."""

import time
from email.utils import formatdate
from typing import Any

import openai
import pytest
from tests.gateway.conftest import Start
from tests.gateway.test_direct import QUESTION
from tests.gateway.test_fallbacks import TOO_LONG, ask, entry, failure

from pennyworth.gateway import router
from pennyworth.gateway.config import parse
from pennyworth.gateway.lanes.failures import upstream_error
from pennyworth.gateway.policies import Policies, read_policies
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.upstreams import Upstream
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

FILTERED = "filtered by the content policy"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "_FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(router, "_JITTER_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("status", "message", "code", "name"),
    [
        (400, "", "", "BadRequestError"),
        (400, FILTERED, "", "ContentPolicyViolationError"),
        (401, "", "", "AuthenticationError"),
        (404, "", "", "NotFoundError"),
        (429, "", "", "RateLimitError"),
        (500, "", "", "InternalServerError"),
        (502, "", "upstream_unreachable", "InternalServerError"),
        (503, "", "", "ServiceUnavailableError"),
        (504, "", "", "TimeoutError"),
        (418, "", "", "Default"),
    ],
)
def test_kinds_have_litellms_names(status: int, message: str, code: str, name: str) -> None:
    made = Policies({f"{name}Retries": 3})
    assert made.find_retries("m", failure(status, message, code=code)) == 3
    assert made.find_retries("m", failure(409)) == (3 if name == "Default" else None)


def test_a_models_own_policy_replaces_the_general_one() -> None:
    sections = {
        "router_settings": {
            "retry_policy": {"RateLimitErrorRetries": 3, "DefaultRetries": 1, "TimeoutErrorRetries": None},
            "model_group_retry_policy": {"m": {"RateLimitErrorRetries": 0}},
            "allowed_fails_policy": {"RateLimitErrorAllowedFails": 5},
        },
        "litellm_settings": {},
    }
    made, problems = read_policies(sections, 2)
    assert not problems
    found = [made.find_retries(model, failure(status)) for model in ("m", "other") for status in (429, 504)]
    assert found == [0, None, 3, 1]
    allowed = [made.find_allowed_fails(info, failure(429)) for info in ({}, {"allowed_fails": 7})]
    assert allowed == [5, 7]
    own = {"allowed_fails": 7, "allowed_fails_policy": {"RateLimitErrorAllowedFails": 9}}
    assert (made.find_allowed_fails(own, failure(429)), made.find_allowed_fails({}, failure(500))) == (9, 2)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"retry_policy": 3}, ("router_settings", "retry_policy")),
        (
            {"retry_policy": {"RateLimitErrorRetries": -1}},
            ("router_settings", "retry_policy", "RateLimitErrorRetries"),
        ),
        ({"model_group_retry_policy": []}, ()),
        ({"model_group_retry_policy": [3]}, ("router_settings", "model_group_retry_policy")),
        ({"allowed_fails": "many"}, ("router_settings", "allowed_fails")),
    ],
)
def test_what_can_not_be_understood_is_told(settings: dict[str, Any], path: tuple[str, ...]) -> None:
    made = parse({"model_list": [entry("m", "https://example.com")], "router_settings": settings}, {})
    assert [problem.path for problem in made.problems] == ([path] if path else [])


def test_a_policy_says_how_often(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway(
        {
            "model_list": [entry("smart", upstream.base_url)],
            "router_settings": {
                "num_retries": 9,
                "disable_cooldowns": True,
                "retry_policy": {
                    "BadRequestErrorRetries": 1,
                    "RateLimitErrorRetries": 0,
                    "TimeoutErrorRetries": 5,
                },
            },
        }
    )
    for status, calls in ((400, 2), (429, 1), (504, 1)):  # the last may have been paid
        upstream.requests.clear()
        upstream.answer = Answer(status=status, message="no")
        with pytest.raises(openai.APIStatusError):
            ask(gateway)
        assert len(upstream.requests) == calls


def test_a_deployment_may_fail_so_often_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Settings.of(
        {
            "model_list": [entry("m", "https://a.example"), entry("m", "https://b.example")],
            "router_settings": {"allowed_fails": 2, "cooldown_time": 3600},
        },
        {},
    )
    first, second = made.config.deployments
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for after, rests in ((0, False), (1, False), (61, False), (1, False), (1, True)):
        now[0] += after
        made.rest(first, failure(500))
        assert (made.rested([first, second]) == [second]) is rests


def test_model_info_has_a_cooldown_of_its_own() -> None:
    entries = [
        {**entry("m", "https://a.example", cooldown_time=3600), "model_info": {"cooldown_time": 0}},
        entry("m", "https://b.example", cooldown_time=3600),
    ]
    made = Settings.of({"model_list": entries}, {})
    for each in made.config.deployments:
        made.rest(each, failure(500), 7)
    assert made.rested(made.config.deployments) == [made.config.deployments[0]]


def test_one_that_keeps_callers_waiting_comes_last(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    with ScriptedUpstream(Answer(fault="silence")) as silent:
        first = entry("smart", silent.base_url, order=1, timeout=0.3, cooldown_time=3600)
        gateway = start_gateway({"model_list": [first, entry("smart", upstream.base_url)]})
        client = gateway.client()
        for options in ({"extra_body": {"timeout": 0.1}}, {}):  # a caller's own time-out blames nobody
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(model="smart", messages=QUESTION, **options)
        assert ask(gateway)
        assert (len(silent.requests), len(upstream.requests)) == (2, 1)


def test_the_next_deployment_may_take_longer_requests(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    with ScriptedUpstream(TOO_LONG) as small:
        config = {"model_list": [entry("smart", small.base_url, order=1), entry("smart", upstream.base_url)]}
        with pytest.raises(openai.BadRequestError):
            ask(start_gateway(config))
        ask(start_gateway({**config, "router_settings": {"enable_pre_call_checks": True}}))
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([("Retry-After", "3")], 3),
        ([("retry-after", "9"), ("retry-after-ms", "1500")], 1.5),
        ([("retry-after", "600")], 0),
        ([("retry-after", "soon")], 0),
        ([], 0),
    ],
)
def test_what_an_upstream_asks_for(headers: list[tuple[str, str]], seconds: float) -> None:
    made = failure(429)
    made.headers = headers
    assert router._asked_seconds(made) == seconds


def test_a_date_is_a_wait_as_well() -> None:
    made = failure(429)
    made.headers = [("retry-after", formatdate(time.time() + 30, usegmt=True))]
    assert 25 < router._asked_seconds(made) <= 30


@pytest.mark.parametrize(
    ("status", "advice", "refused"), [(500, "false", False), (504, "true", True), (504, "", False)]
)
def test_an_upstream_s_advice_is_taken(status: int, advice: str, refused: bool) -> None:
    (deployment,) = parse({"model_list": [entry("m", "https://example.com")]}, {}).deployments
    told = upstream_error(Upstream(deployment), status, [("X-Should-Retry", advice)], b"{}")
    assert told.refused is refused


def test_no_retry_comes_earlier_than_configured(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    settings = {"num_retries": 1, "retry_after": 0.3}
    gateway = start_gateway({"model_list": [entry("smart", upstream.base_url)], "router_settings": settings})
    upstream.then(Answer(status=503, message="overloaded"))
    began = time.monotonic()
    assert ask(gateway).headers["x-litellm-attempted-retries"] == "1"
    assert time.monotonic() - began > 0.3
