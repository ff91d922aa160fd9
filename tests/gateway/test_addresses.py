"""Addresses, headers and keys as operators write them."""

from typing import Any

import pytest

from pennyworth.gateway.addresses import parse_base_url, parse_header, parse_key
from pennyworth.gateway.config import parse
from pennyworth.gateway.upstreams import resolve_upstream


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://x.example/v1", "https://x.example/v1"),
        ("https://x.example/v1/", "https://x.example/v1"),
        (" https://x.example/v1 \n", "https://x.example/v1"),
        ("https://x.example/v1/chat/completions", "https://x.example/v1"),
        ("https://x.example/v1/embeddings/", "https://x.example/v1"),
        ("HTTP://X.example:8080", "HTTP://X.example:8080"),
        ("http://[::1]:4000/v1", "http://[::1]:4000/v1"),
    ],
)
def test_what_is_plain_is_mended(text: str, base: str) -> None:
    assert parse_base_url(text) == base


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("127.0.0.1:1/v1", "must begin with https:// or http://"),
        ("ftp://x.example", "must begin with"),
        ("http://127.0.0.1:${PORT}/v1", "Write os.environ/NAME"),
        ("https://x.example/v1?api-version=2024-10-21", "has a query"),
        ("https://x.example/v1#top", "has a query"),
        ("https://x.example/a b", "a space"),
        ("https://x.example/\u200b", "a character"),
        ("http://h:99999/v1", "its port"),
        ("http://h:port/v1", "its port"),
        ("http://h:0/v1", "its port"),
        ("http://[::1/v1", "check its host"),
        ("https:///v1", "check its host"),
        ("https://user:pass@x.example/v1", "holds credentials"),
    ],
)
def test_what_is_wrong_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        parse_base_url(text)
    assert text not in str(refused.value)


def test_litellm_makes_addresses_of_its_own() -> None:
    assert parse_base_url("https://x.example/v1?a=b", whole=False) == "https://x.example/v1?a=b"
    with pytest.raises(ValueError, match="must begin"):
        parse_base_url("x.example", whole=False)


@pytest.mark.parametrize(
    ("text", "key"), [(" sk-1\n", "sk-1"), ("Bearer sk-1", "sk-1"), ("bearer  sk-1", "sk-1")]
)
def test_a_key_is_taken_without_what_is_pasted_around_it(text: str, key: str) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize(
    "text", ["sk-SECRET\nsecond", "sk-SECRET second", "sk-SECRET\u200b", "sk-SECRET\u2026"]
)
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_key(text)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X A", "b"),
        ("", "b"),
        ("X:", "b"),
        ("X", "a\r\nY: b"),
        ("X", "\u200b"),
        ("X", {"a": "b"}),
        ("X", ["b"]),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
    ],
)
def test_headers_that_can_not_be_sent(name: str, value: Any) -> None:
    with pytest.raises(ValueError):
        parse_header(name, value)
    assert parse_header("X-A", 3) == ("X-A", "3")


@pytest.mark.parametrize("model", ["openai/x", "anthropic/x"])
@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"extra_headers": "X-A: 1"}, "extra_headers must be a mapping"),
        ({"extra_body": "x"}, "extra_body must be a mapping"),
        ({"extra_headers": {"X-A": "caf\u00e9\u200b"}}, "extra_headers has X-A, which holds a character"),
        ({"api_key": "sk-SECRET\nsecond"}, "api_key holds white space"),
        ({"api_base": "x.example/v1"}, "api_base must begin with"),
        ({"organization": "org\nX-Other: 1"}, "organization has organization, which holds a character"),
    ],
)
def test_what_can_not_be_sent_is_known_when_settings_are_made(
    model: str, params: dict[str, Any], says: str
) -> None:
    entry = {"model_name": "m", "litellm_params": {"model": model, "api_key": "k", **params}}
    (deployment,) = parse({"model_list": [entry]}, {}).deployments
    upstream = resolve_upstream(deployment, {})
    assert says in upstream.problem
    assert "SECRET" not in upstream.problem


def test_a_header_without_a_value_is_left_out() -> None:
    entry = {
        "model_name": "m",
        "litellm_params": {"model": "openai/x", "api_key": "Bearer k", "extra_headers": {"X": None}},
    }
    (deployment,) = parse({"model_list": [entry]}, {}).deployments
    headers = resolve_upstream(deployment, {}).headers
    assert "X" not in headers and headers["Authorization"] == "Bearer k"


def test_an_operators_header_replaces_the_gateways_in_whichever_letters() -> None:
    extra = {"authorization": "Basic eA==", "user-agent": "mine"}
    entry = {
        "model_name": "m",
        "litellm_params": {"model": "openai/x", "api_key": "k-123", "extra_headers": extra},
    }
    (deployment,) = parse({"model_list": [entry]}, {}).deployments
    headers = resolve_upstream(deployment, {}).headers
    assert extra.items() <= headers.items()
    assert not {"Authorization", "User-Agent"} & headers.keys()
