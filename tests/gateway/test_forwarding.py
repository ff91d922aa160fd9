"""Which of a client's own headers a provider gets."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.gateway.conftest import Start
from tests.gateway.lanes.test_controls import call_with
from tests.gateway.test_direct import QUESTION
from tests.gateway.test_fallbacks import entry

from pennyworth.gateway.config import parse
from pennyworth.gateway.forwarding import Forwarding, add_forwarded
from pennyworth.gateway.lanes import litellm
from pennyworth.gateway.wsgi import Request
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

SENT = {
    "anthropic-beta": "b",
    "authorization": "Bearer k",
    "cookie": "c",
    "openai-organization": "org-mine",
    "x-amz-security-token": "t",
    "x-amzn-request-context": "{}",
    "x-api-key": "k",
    "x-forwarded-for": "1.2.3.4",
    "x-goog-api-key": "k",
    "x-litellm-tags": "a",
    "x-stainless-os": "Linux",
    "x-team": "mine",
}
REQUEST = Request(
    {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in SENT.items()}, "POST", "/"
)


def test_nothing_goes_on_by_default() -> None:
    assert Forwarding().choose(REQUEST, "m", "openai") == {}


@pytest.mark.parametrize(
    "made", [Forwarding(everywhere=True), Forwarding(models=("other", "m*")), Forwarding(models=("model",))]
)
def test_only_what_is_meant_for_a_provider_goes_on(made: Forwarding) -> None:
    assert made.choose(REQUEST, "model", "openai") == {"anthropic-beta": "b", "x-team": "mine"}


def test_only_openai_gets_an_organization() -> None:
    made = Forwarding(models=("m",), organization=True)
    assert made.choose(REQUEST, "other", "openai") == {"openai-organization": "org-mine"}
    assert made.choose(REQUEST, "other", "groq") == {}


def test_the_operators_headers_win_in_whichever_letters() -> None:
    own = {"X-Team": "theirs"}
    assert add_forwarded(own, {"x-team": "mine", "x-other": "o"}) == {"x-other": "o", **own}
    assert add_forwarded(own, {}) is own


def test_it_is_read_from_the_file() -> None:
    made = parse(
        {
            "model_list": [entry("m", "https://example.com")],
            "general_settings": {"forward_client_headers_to_llm_api": True, "forward_openai_org_id": True},
            "litellm_settings": {"model_group_settings": {"forward_client_headers_to_llm_api": ["m"]}},
        },
        {},
    )
    found = made.forwarding
    assert (found.everywhere, found.organization, found.models) == (True, True, ("m",))


def test_the_direct_lane_sends_them(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway(
        {
            "model_list": [entry("smart", upstream.base_url, extra_headers={"X-Operator": "o"})],
            "general_settings": {"forward_client_headers_to_llm_api": True, "forward_openai_org_id": True},
        }
    )
    mine = {"x-team": "mine", "x-operator": "mine", "x-litellm-tags": "a", "openai-organization": "org-mine"}
    gateway.client().chat.completions.create(model="smart", messages=QUESTION, extra_headers=mine)
    got = upstream.requests[0].headers
    assert (got["x-team"], got["x-operator"], got["openai-organization"]) == ("mine", "o", "org-mine")
    assert not [name for name in got if name.startswith(("x-litellm", "x-stainless"))]


def test_who_stands_in_gets_what_is_meant_for_itself(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    with ScriptedUpstream(Answer(status=503, message="overloaded")) as failing:
        gateway = start_gateway(
            {
                "model_list": [entry("smart", failing.base_url), entry("other", upstream.base_url)],
                "litellm_settings": {
                    "fallbacks": [{"smart": ["other"]}],
                    "model_group_settings": {"forward_client_headers_to_llm_api": ["smart"]},
                },
            }
        )
        gateway.client().chat.completions.create(
            model="smart", messages=QUESTION, extra_headers={"x-team": "mine"}
        )
        assert failing.requests[0].headers["x-team"] == "mine"
    assert "x-team" not in upstream.requests[0].headers


def test_the_litellm_lane_hands_them_to_the_sdk() -> None:
    params = {"model": "anthropic/claude", "extra_headers": {"X-Operator": "o"}}
    call, attempt = call_with({}, params)
    attempt = replace(attempt, forwarded={"x-team": "mine"})
    arguments = litellm._arguments(SimpleNamespace(drop_params=False), call, attempt)
    assert arguments["extra_headers"] == {"X-Operator": "o", "x-team": "mine"}
