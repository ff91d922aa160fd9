"""What a request asks of the gateway itself, and what of it is granted."""

import math
from typing import Any

import openai
import pytest
from tests.gateway.conftest import UPSTREAM_KEY, Start
from tests.gateway.test_direct import QUESTION
from tests.gateway.test_fallbacks import entry

from pennyworth.gateway import router
from pennyworth.gateway.asked import NOTHING_ASKED, read_asked, unpack
from pennyworth.gateway.bodies import Body
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.fallbacks import Fallbacks
from pennyworth.gateway.wsgi import Request
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

CONFIGURED = Fallbacks({"a": ("b",)}, {"a": ("c",)}, {"a": ("d",)})


def request(**headers: str) -> Request:
    return Request({f"HTTP_X_LITELLM_{name.upper()}": value for name, value in headers.items()}, "POST", "/")


def test_most_requests_ask_nothing() -> None:
    assert read_asked({"model": "m", "messages": []}, request()) is NOTHING_ASKED
    assert NOTHING_ASKED.choose_fallbacks(CONFIGURED) is CONFIGURED


def test_headers_win_over_fields() -> None:
    fields = {"timeout": 9, "stream_timeout": "8", "num_retries": 7, "request_timeout": 6}
    asked = read_asked(fields, request())
    assert (asked.timeout, asked.stream_timeout, asked.retries) == (9, 8, 7)
    asked = read_asked(fields, request(timeout="1", stream_timeout="2", num_retries="3"))
    assert (asked.timeout, asked.stream_timeout, asked.retries) == (1, 2, 3)
    assert read_asked({"request_timeout": 6}, request()).timeout == 6
    assert read_asked({"timeout": 0, "num_retries": 0}, request()).timeout == math.inf


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"timeout": "soon"}, "timeout"),
        ({"num_retries": -1}, "num_retries"),
        ({"num_retries": True}, "num_retries"),
        ({"fallbacks": [3]}, "fallbacks"),
        ({"fallbacks": [{"model": "a", "api_key": "mine"}]}, "fallbacks"),
        ({"context_window_fallbacks": ["a", None]}, "context_window_fallbacks"),
    ],
)
def test_what_can_not_be_understood_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_asked(fields, request())
    assert (refused.value.status, refused.value.param) == (400, param)


def test_a_request_s_own_fallbacks_replace_those_of_their_kind() -> None:
    for given in (["x", "y"], [{"model": "x"}, {"model": "y"}], [{"*": ["x", "y"]}]):
        chosen = read_asked({"fallbacks": given}, request()).choose_fallbacks(CONFIGURED)
        assert chosen.general == {"*": ("x", "y")}
        assert chosen.context_window == CONFIGURED.context_window
    chosen = read_asked({"context_window_fallback_dict": {"a": "x"}}, request()).choose_fallbacks(CONFIGURED)
    assert chosen.context_window == {"a": ("x",)}
    assert read_asked({"fallbacks": []}, request()).choose_fallbacks(CONFIGURED).general == {}
    assert read_asked({"disable_fallbacks": True}, request()).choose_fallbacks(CONFIGURED).most == 0
    assert read_asked({"max_fallbacks": 99}, request()).choose_fallbacks(CONFIGURED).most == 5


def test_tags_are_found_wherever_clients_put_them() -> None:
    asked = read_asked({"tags": ["a", 3], "metadata": {"tags": ["b", "a", "\n"]}}, request(tags="c, d"))
    assert asked.tags == ("a", "b", "c", "d")
    assert len(read_asked({"tags": [str(n) for n in range(99)]}, request()).tags) == 16


def test_what_stands_beside_extra_body_wins() -> None:
    plain = Body(b"{}", "", {"model": "m"})
    assert unpack(plain) is plain
    fields = {"model": "m", "extra_body": {"model": "other", "top_k": 3}}
    assert unpack(Body(b"raw", "", fields)) == Body(b"", "", {"model": "m", "top_k": 3})
    assert unpack(Body(b"raw", "", {"model": "m", "extra_body": 1})).fields == {"model": "m"}


def test_a_caller_may_have_fields_dropped(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    mistral = {"model": "mistral/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    gateway = start_gateway({"model_list": [{"model_name": "m", "litellm_params": mistral}]})
    for drop in (False, True):
        gateway.client().chat.completions.create(
            model="m", messages=QUESTION, logit_bias={"1": 1}, extra_body={"drop_params": drop}
        )
    assert ["logit_bias" in each.payload for each in upstream.requests] == [True, False]
    assert not any("drop_params" in each.payload for each in upstream.requests)


def test_a_caller_chooses_among_the_models_that_it_may_call(
    start_gateway: Start, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "_FIRST_WAIT_SECONDS", 0.01)
    with ScriptedUpstream(Answer(status=503, message="overloaded")) as failing:
        gateway = start_gateway(
            {
                "model_list": [
                    entry("smart", failing.base_url),
                    entry("once", failing.base_url, num_retries=1),
                    entry("other", upstream.base_url),
                ],
                "router_settings": {"fallbacks": [{"once": ["other"]}]},
            }
        )
        client = gateway.client()

        def ask(model: str, **fields: Any) -> Any:
            return client.chat.completions.with_raw_response.create(
                model=model, messages=QUESTION, extra_body=fields
            )

        answer = ask("smart", fallbacks=["other"], api_key="mine", tags=["team-a"])
        assert answer.headers["x-litellm-attempted-fallbacks"] == "1"
        assert upstream.requests[0].payload.keys() == {"model", "messages"}
        assert gateway.logged(lambda line: bool(line.get("tags")))["tags"] == ["team-a"]
        with pytest.raises(openai.NotFoundError) as unknown:
            ask("smart", fallbacks=["nobody"])
        assert (unknown.value.code, unknown.value.param) == ("model_not_found", "fallbacks")
        with pytest.raises(openai.InternalServerError):
            ask("once", disable_fallbacks=True, num_retries=0)
        assert len(failing.requests) == 2
        with pytest.raises(openai.InternalServerError):  # once more, not nine times
            ask("once", disable_fallbacks=True, num_retries=9)
        assert len(failing.requests) == 4
