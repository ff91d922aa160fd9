"""Routes, keys, CORS and the errors that the gateway itself gives, over real sockets."""

import gzip
import http.client
import json
import zlib
from typing import Any

import openai
import pytest
from tests.gateway.conftest import KEY, UPSTREAM_KEY, RunningGateway, Start
from tests.gateway.test_direct import QUESTION, plain

from pennyworth import __version__
from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

CHAT = "/v1/chat/completions"
ANONYMOUS = {"Authorization": ""}


def error(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    assert set(document) == {"error"}
    assert set(document["error"]) == {"message", "type", "param", "code"}
    return dict(document["error"])


@pytest.mark.parametrize("prefix", ["/v1", ""])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/health", {"status": "ok"}),
        ("/health/liveness", {"status": "ok"}),
        ("/health/liveliness", {"status": "ok"}),
        ("/health/readiness", {"status": "ok"}),
        ("/version", {"name": "pennyworth", "version": __version__}),
        ("/", {"name": "pennyworth", "version": __version__}),
    ],
)
def test_health_and_version_need_no_key(
    gateway: RunningGateway, prefix: str, path: str, expected: Any
) -> None:
    status, _, body = plain(gateway, "GET", prefix + path, headers=ANONYMOUS)
    assert (status, json.loads(body)) == (200, expected)


def test_health_touches_nothing(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    plain(gateway, "GET", "/health")
    assert upstream.requests == []


@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_models(gateway: RunningGateway, prefix: str) -> None:
    client = gateway.client(base_url=gateway.address + prefix)
    (model,) = client.models.list().data
    assert (model.id, model.object, model.owned_by) == ("smart", "model", "openai")
    assert client.models.retrieve("smart") == model
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("dumb")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("path", [CHAT, "/chat/completions", "/v1/chat/completions/"])
def test_chat_with_and_without_v1(gateway: RunningGateway, path: str) -> None:
    body = json.dumps({"model": "smart", "messages": QUESTION}).encode()
    assert plain(gateway, "POST", path, body)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"Authorization": KEY},
        {**ANONYMOUS, "x-api-key": KEY},
        {**ANONYMOUS, "api-key": KEY},
        {**ANONYMOUS, "x-goog-api-key": KEY},
        {**ANONYMOUS, "x-litellm-api-key": f"Bearer {KEY}"},
        {"Authorization": "Basic dXNlcjpwYXNz", "x-api-key": KEY},
    ],
)
def test_a_key_opens(gateway: RunningGateway, headers: dict[str, str]) -> None:
    assert plain(gateway, "GET", "/v1/models", headers=headers)[0] == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (ANONYMOUS, "missing_api_key"),
        ({"Authorization": "Bearer"}, "missing_api_key"),
        ({"Authorization": "sk-wrong"}, "invalid_api_key"),
        ({**ANONYMOUS, "api-key": "wrong"}, "invalid_api_key"),
        ({"Authorization": f"Basic {KEY}"}, "missing_api_key"),
        ({"Authorization": "Bearer wrong"}, "invalid_api_key"),
        ({"Authorization": f"Bearer {KEY}x"}, "invalid_api_key"),
        ({"Authorization": f"Bearer {KEY[:-1]}"}, "invalid_api_key"),
        ({**ANONYMOUS, "x-api-key": "wrong"}, "invalid_api_key"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/nowhere"])
def test_no_key_or_a_wrong_one(
    gateway: RunningGateway, headers: dict[str, str], code: str, path: str
) -> None:
    status, answered, body = plain(gateway, "GET", path, headers=headers)
    assert (status, error(body)["code"], error(body)["type"]) == (401, code, "authentication_error")
    assert answered["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("keys", ["", " , ,"])
@pytest.mark.parametrize("presented", ["", "Bearer ", "Bearer x", f"Bearer {KEY}"])
def test_without_keys_every_call_is_refused(start_gateway: Start, keys: str, presented: str) -> None:
    gateway = start_gateway(None, env={"LITELLM_API_KEYS": keys, "LITELLM_MODEL_PROVIDER": "openai"})
    status, _, body = plain(gateway, "GET", "/v1/models", headers={"Authorization": presented})
    assert (status, error(body)["code"]) == (401, "no_api_keys_configured")


def test_azures_client_finds_its_paths(gateway: RunningGateway) -> None:
    client = openai.AzureOpenAI(
        azure_endpoint=gateway.address, api_key=KEY, api_version="2024-10-21", max_retries=0
    )
    assert client.chat.completions.create(model="smart", messages=QUESTION).model == "smart"
    assert [
        each.model for each in client.chat.completions.create(model="smart", messages=QUESTION, stream=True)
    ]
    assert client.embeddings.create(model="smart", input="x").data
    assert [model.id for model in client.models.list()] == ["smart"]


def test_the_official_client_raises_its_own_error(gateway: RunningGateway) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        gateway.client(api_key="wrong").models.list()
    assert caught.value.code == "invalid_api_key"


def test_several_keys_and_the_config_s_master_key(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    params = {"model": "openai/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    config = {
        "model_list": [{"model_name": "smart", "litellm_params": params}],
        "general_settings": {"master_key": "os.environ/MASTER"},
    }
    gateway = start_gateway(config, env={"LITELLM_API_KEYS": "first, second", "MASTER": "third"})
    for key, status in [("first", 200), ("second", 200), ("third", 200), ("first, second", 401)]:
        assert plain(gateway, "GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})[0] == status


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b'{"model": "smart"', 400, "invalid_json", None),
        (b"", 400, "invalid_json", None),
        (b"\xff\xfe\xfa", 400, "invalid_json", None),
        (b"[" * 100_000, 400, "invalid_json", None),
        (b'["smart"]', 400, "invalid_json", None),
        (b'{"messages": []}', 400, "missing_required_parameter", "model"),
        (b'{"model": 7}', 400, "missing_required_parameter", "model"),
        (b'{"model": "dumb"}', 404, "model_not_found", "model"),
        (b'{"model": "smart", "Model": "dumb"}', 400, "invalid_value", "model"),
        (b'{"model": "smart", "x": NaN}', 400, "invalid_json", None),
        (b'{"model": "smart", "x": -Infinity}', 400, "invalid_json", None),
        (b'{"model": "smart", "x": 1e999}', 400, "invalid_value", None),
        (b'{"model": "smart", "x": ' + b"9" * 5000 + b"}", 400, "invalid_json", None),
        ('{"model": "smart"}'.encode("utf-16"), 400, "invalid_json", None),
        (b'{"model": "smart", "x": "\xed\xa0\x80"}', 400, "invalid_json", None),
    ],
)
def test_a_bad_request_body(
    gateway: RunningGateway, body: bytes, status: int, code: str, param: str | None
) -> None:
    answered, _, content = plain(gateway, "POST", CHAT, body)
    assert (answered, error(content)["code"], error(content)["param"]) == (status, code, param)


@pytest.mark.parametrize(
    "kind", ["text/html", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
)
def test_a_wrong_content_type(gateway: RunningGateway, kind: str) -> None:
    status, _, body = plain(gateway, "POST", CHAT, b"{}", {"Content-Type": kind})
    assert (status, error(body)["code"]) == (415, "unsupported_content_type")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST"),
        ("DELETE", CHAT, "POST"),
        ("GET", "/v1/embeddings", "POST"),
        ("POST", "/v1/models", "GET"),
        ("PUT", "/health", "GET"),
    ],
)
def test_a_wrong_method(gateway: RunningGateway, method: str, path: str, allowed: str) -> None:
    status, headers, body = plain(gateway, method, path)
    assert (status, error(body)["code"], headers["allow"]) == (405, "method_not_allowed", allowed)


@pytest.mark.parametrize("path", ["/v2/models", "/v1/nowhere", "/v1//models", "/%00", "/..%2f"])
def test_an_unknown_path(gateway: RunningGateway, path: str) -> None:
    status, _, body = plain(gateway, "GET", path)
    assert (status, error(body)["code"]) == (404, "unknown_url")


def test_a_credential_that_is_not_set_fails_only_its_model(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    params = {"model": "openai/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    config = {
        "model_list": [
            {"model_name": "smart", "litellm_params": params},
            {"model_name": "lost", "litellm_params": {**params, "api_key": "os.environ/NOT_SET"}},
        ]
    }
    gateway = start_gateway(config)
    with pytest.raises(openai.InternalServerError, match="NOT_SET") as caught:
        gateway.client().chat.completions.create(model="lost", messages=QUESTION)
    assert caught.value.code == "gateway_misconfigured"
    assert gateway.client().chat.completions.create(model="smart", messages=QUESTION).choices


def test_a_browser_s_preflight_needs_no_key(gateway: RunningGateway) -> None:
    headers = {
        **ANONYMOUS,
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, x-stainless-os",
    }
    status, answered, body = plain(gateway, "OPTIONS", CHAT, headers=headers)
    assert (status, body) == (204, b"")
    assert answered["access-control-allow-origin"] == "*"
    assert answered["access-control-allow-headers"] == "authorization, x-stainless-os"
    assert "POST" in answered["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [("GET", "/v1/models", KEY, 200), ("GET", "/v1/models", "wrong", 401), ("GET", "/v1/nowhere", KEY, 404)],
)
def test_a_browser_may_read_answers_and_errors(
    gateway: RunningGateway, method: str, path: str, key: str, status: int
) -> None:
    headers = {"Origin": "https://app.example", "Authorization": f"Bearer {key}"}
    answered, headers, _ = plain(gateway, method, path, headers=headers)
    assert (answered, headers["access-control-allow-origin"]) == (status, "*")


def test_only_the_configured_origins_may_call(start_gateway: Start) -> None:
    gateway = start_gateway(
        None,
        env={
            "LITELLM_MODEL_PROVIDER": "openai",
            "CORS_ALLOW_ORIGINS": "https://a.example, https://b.example",
        },
    )
    for origin, allowed in [("https://b.example", "https://b.example"), ("https://c.example", None)]:
        headers = plain(gateway, "GET", "/health", headers={"Origin": origin})[1]
        assert headers.get("access-control-allow-origin") == allowed
        assert headers["vary"] == "Origin"


def test_a_response_header_comes_once(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    params = {"model": "openai/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    config = {"model_list": [{"model_name": "smart", "litellm_params": params}]}
    gateway = start_gateway(config, env={"CORS_ALLOW_ORIGINS": "https://a.example"})
    upstream.answer = Answer(
        headers=(("Vary", "Accept"), ("vary", "Accept-Encoding"), ("X-Ratelimit-A", "1"))
    )
    body = json.dumps({"model": "smart", "messages": QUESTION}).encode()
    connection = http.client.HTTPConnection(gateway.address.removeprefix("http://"), timeout=10)
    sent = {
        "Authorization": f"Bearer {KEY}",
        "Content-Type": "application/json",
        "Origin": "https://a.example",
    }
    connection.request("POST", CHAT, body, sent)
    answered = connection.getresponse().getheaders()
    connection.close()
    assert [value for name, value in answered if name == "Vary"] == ["Accept, Accept-Encoding, Origin"]
    assert len({name for name, _ in answered}) == len(answered)


def test_a_head_request_is_answered_and_logged_like_a_get(gateway: RunningGateway) -> None:
    status, headers, body = plain(gateway, "HEAD", "/health", headers=ANONYMOUS)
    assert (status, body, headers["content-length"]) == (200, b"", "16")
    assert gateway.logged(lambda line: line.get("method") == "HEAD")["status"] == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/"])
def test_clients_may_ask_whether_somebody_is_there(gateway: RunningGateway, path: str) -> None:
    assert plain(gateway, "HEAD", path, headers=ANONYMOUS)[0] == 200


def encoded(body: bytes, coding: str) -> bytes:
    if coding == "raw deflate":
        deflate = zlib.compressobj(wbits=-15)
        return deflate.compress(body) + deflate.flush()
    return gzip.compress(body) if coding == "gzip" else zlib.compress(body)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw deflate"])
def test_an_encoded_body_is_decoded(gateway: RunningGateway, upstream: ScriptedUpstream, coding: str) -> None:
    body = json.dumps({"model": "smart", "messages": QUESTION}).encode()
    headers = {"Content-Encoding": coding.split()[-1]}
    assert plain(gateway, "POST", CHAT, encoded(body, coding), headers)[0] == 200
    assert upstream.requests[-1].payload["messages"] == QUESTION
    assert "content-encoding" not in {name.lower() for name in upstream.requests[-1].headers}


@pytest.mark.parametrize(
    ("body", "coding", "status", "code"),
    [
        (b"{}", "br", 415, "unsupported_content_encoding"),
        (b"{}", "gzip, gzip", 415, "unsupported_content_encoding"),
        (b"{}", "gzip", 400, "invalid_encoding"),
        (gzip.compress(b"{}")[:-9], "gzip", 400, "invalid_encoding"),
        (gzip.compress(b" " * 70_000_000, 1), "gzip", 413, "request_too_large"),
    ],
    ids=["br", "twice", "broken", "cut", "bomb"],
)
def test_what_can_not_be_decoded_is_refused(
    gateway: RunningGateway, body: bytes, coding: str, status: int, code: str
) -> None:
    answered, headers, answer = plain(gateway, "POST", CHAT, body, {"Content-Encoding": coding})
    assert (answered, error(answer)["code"]) == (status, code)
    assert (headers.get("accept-encoding") == "gzip, deflate") is (status == 415)
    assert ("64 MiB" in error(answer)["message"]) is (status == 413)


def test_a_page_may_do_without_a_preflight(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    body = json.dumps({"model": "smart", "messages": QUESTION}).encode()
    kind = {"Content-Type": "text/plain;charset=UTF-8"}
    assert plain(gateway, "POST", CHAT, body, kind)[0] == 200
    assert upstream.requests[-1].headers["content-type"] == "application/json"
    assert error(plain(gateway, "POST", CHAT, b"hello", kind)[2])["code"] == "invalid_json"


def test_what_is_no_utf8_is_said_in_words(gateway: RunningGateway) -> None:
    body = '{"model": "smart", "user": "J\u00f6rg"}'.encode("latin-1")
    assert "it is not UTF-8" in error(plain(gateway, "POST", CHAT, body)[2])["message"]


def test_each_request_is_logged_once_without_its_content(gateway: RunningGateway) -> None:
    list(gateway.client().chat.completions.create(model="smart", messages=QUESTION, stream=True))
    line = gateway.logged(lambda line: line.get("message") == "request")
    assert {k: line[k] for k in ("method", "path", "status", "model", "provider", "lane", "stream")} == {
        "method": "POST",
        "path": CHAT,
        "status": 200,
        "model": "smart",
        "provider": "openai",
        "lane": "direct",
        "stream": True,
    }
    assert line["first_ms"] <= line["ms"]
    assert "France" not in "".join(gateway.output)
    assert KEY not in "".join(gateway.output)
