"""What is changed in a request, and what is not."""

from typing import Any

import pytest

from pennyworth.gateway.errors import UpstreamFailure
from pennyworth.gateway.lanes.edits import amend, edit_request
from pennyworth.gateway.provider import Choices, Edit
from pennyworth.gateway.providers import PROVIDERS

NOTHING = Choices()
DROP = Choices(drop=True)
USER: dict[str, Any] = {"role": "user", "content": "hi"}


def edited(provider: str, fields: dict[str, Any], choices: Choices = NOTHING, model: str = "m") -> Any:
    return edit_request({"model": model, **fields}, PROVIDERS[provider].edit_of(model), choices)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_where_nothing_has_to_change_nothing_is_copied(provider: str) -> None:
    fields = {"model": "m", "messages": [USER], "temperature": 0.5, "max_tokens": 7, "tools": []}
    if "max_tokens" in PROVIDERS[provider].edit.rename:
        del fields["max_tokens"]
    assert edit_request(fields, PROVIDERS[provider].edit_of("m"), NOTHING) is fields


@pytest.mark.parametrize(
    ("provider", "given", "sent"),
    [
        ("mistral", {"max_completion_tokens": 7, "seed": 1}, {"max_tokens": 7, "random_seed": 1}),
        ("mistral", {"tool_choice": "required", "user": "u", "store": True}, {"tool_choice": "any"}),
        ("mistral", {"logit_bias": {}, "invented": 1}, {"logit_bias": {}, "invented": 1}),
        ("mistral", {"messages": [{**USER, "name": "n"}]}, {"messages": [USER]}),
        (
            "mistral",
            {"messages": [{"role": "tool", "name": "f", "tool_call_id": "c", "content": "r"}]},
            {"messages": [{"role": "tool", "name": "f", "tool_call_id": "c", "content": "r"}]},
        ),
        ("deepseek", {"max_completion_tokens": 7, "max_tokens": 9}, {"max_tokens": 7}),
        ("deepseek", {"max_tokens": 9, "max_completion_tokens": 7}, {"max_tokens": 7}),
        ("deepseek", {"max_tokens": 9, "max_completion_tokens": None}, {"max_tokens": 9}),
        ("groq", {"messages": [{**USER, "role": "developer"}]}, {"messages": [{**USER, "role": "system"}]}),
        ("groq", {"messages": "nonsense", "tools": 3}, {"messages": "nonsense", "tools": 3}),
        ("groq", {"messages": [1, {"role": 2, "content": [3]}]}, {"messages": [1, {"role": 2, "content": [3]}]}),
        (
            "xai",
            {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
        ),
        (
            "sambanova",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]},
            {"messages": [{"role": "user", "content": "ab"}]},
        ),
        ("gemini", {"store": True, "top_k": 3, "stream_options": {}}, {"top_k": 3, "stream_options": {}}),
        ("perplexity", {"stream_options": {"include_usage": True}}, {}),
        ("openai", {"messages": [{"role": "developer", "content": "d"}], "user": "u"}, None),
    ],
)  # fmt: skip
def test_a_provider_gets_what_it_takes(provider: str, given: dict[str, Any], sent: Any) -> None:
    before = repr(given)
    assert edited(provider, given) == {"model": "m", **(given if sent is None else sent)}
    assert repr(given) == before


@pytest.mark.parametrize("provider", ["openai", "azure", "azure_ai", "github"])
@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-5", "max_completion_tokens"),
        ("gpt-5.1-mini", "max_completion_tokens"),
        ("o1", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("gpt-4.1", "max_tokens"),
        ("o1nothing", "max_tokens"),
    ],
)
def test_reasoning_models_take_max_completion_tokens(provider: str, model: str, name: str) -> None:
    assert edited(provider, {"max_tokens": 7}, model=model) == {"model": model, name: 7}


def test_what_operators_choose_is_dropped_or_kept() -> None:
    fields = {"logprobs": True, "store": True, "temperature": 1}
    assert edited("groq", fields, DROP) == {"model": "m", "store": True, "temperature": 1}
    assert edited("mistral", fields, DROP)["logprobs"] is True
    assert edited("mistral", {"invented": 1}, DROP) == {"model": "m"}
    assert edited("mistral", fields, Choices(allowed=frozenset(["store"])))["store"] is True
    assert edited("openai", fields, DROP, "gpt-5") == {"model": "gpt-5", "store": True}
    assert edited("openai", fields, DROP, "gpt-5.1") == {"model": "gpt-5.1", **fields}
    assert edited("mistral", {"seed": 1}, Choices(allowed=frozenset(["seed"]))) == {"model": "m", "seed": 1}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("a", {"b": [{"c": {"d": 1, "e": 2}}, {"c": {"d": 3}}]}),
        ("b[*].c.d", {"a": 1, "b": [{"c": {"e": 2}}, {"c": {}}]}),
        ("b[1].c.d", {"a": 1, "b": [{"c": {"d": 1, "e": 2}}, {"c": {}}]}),
        ("b[0]", {"a": 1, "b": [{"c": {"d": 3}}]}),
        ("x.y", None),
        ("a.b[*]", None),
        ("b[7].c", None),
        ("", None),
    ],
)
def test_a_path_is_dropped(path: str, left: Any) -> None:
    fields = {"a": 1, "b": [{"c": {"d": 1, "e": 2}}, {"c": {"d": 3}}]}
    made = edit_request(fields, Edit(), Choices(dropped=(path,)))
    assert made == (left or fields)
    assert left or made is fields


@pytest.mark.parametrize(
    ("status", "message", "param", "dropped"),
    [
        (400, "Unsupported parameter: 'verbosity' is not supported with this model.", None, "verbosity"),
        (400, "it is not supported", "verbosity", "verbosity"),
        (422, "[{'type': 'extra_forbidden', 'loc': ['body', 'verbosity']}]", None, "verbosity"),
        (400, "property 'body.top_k' is unsupported", None, "top_k"),
        (400, "either top_k or verbosity", None, None),
        (400, "the messages are too long", None, None),
        (400, "tools are not supported", None, None),
        (400, "model 'm' does not exist", None, None),
        (500, "verbosity", None, None),
    ],
)
def test_a_refusal_that_names_one_field(
    status: int, message: str, param: str | None, dropped: str | None
) -> None:
    fields = {"model": "m", "messages": [USER], "tools": [], "verbosity": "low", "top_k": 3}
    failure = UpstreamFailure(status, message, param=param)
    assert amend(fields, failure, NOTHING) is None
    expected = {name: value for name, value in fields.items() if name != dropped} if dropped else None
    assert amend(fields, failure, DROP) == expected
    assert amend(fields, failure, Choices(drop=True, allowed=frozenset(fields))) is None


def test_a_limit_is_renamed_rather_than_dropped() -> None:
    failure = UpstreamFailure(400, "'max_tokens' is not supported. Use 'max_completion_tokens' instead.")
    assert amend({"model": "m", "max_tokens": 7}, failure, NOTHING) == {
        "model": "m",
        "max_completion_tokens": 7,
    }
