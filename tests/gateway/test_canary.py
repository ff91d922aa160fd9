"""Secrets and content: through every path that fails, none of them reaches a log, a header or an error."""

import json
from typing import Any

import httpx
import pytest
from tests.gateway.conftest import KEY, UPSTREAM_KEY, RunningGateway, Start

from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

HEADER = "canary-header-value-0123456789"
PROMPT = "canary prompt of somebody"
ANSWER = "canary answer for somebody"
SECRETS = (KEY, UPSTREAM_KEY, HEADER)
ACCOUNT = "123456789012"
ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/endpoint-FunctionRole-X/fn"


@pytest.fixture
def gateway(start_gateway: Start, upstream: ScriptedUpstream) -> RunningGateway:
    def entry(name: str, **params: Any) -> dict[str, Any]:
        given = {"model": "openai/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY, **params}
        return {"model_name": name, "litellm_params": given}

    models = [
        entry("good", extra_headers={"X-Secret": HEADER}),
        entry("broken-key", api_key=f"{UPSTREAM_KEY}\nsecond"),
        entry("broken-header", extra_headers={"X-Secret": f"{HEADER}\u200b"}),
        entry("nowhere", api_base="http://127.0.0.1:1/v1"),
        entry("no-address", api_base=f"{UPSTREAM_KEY}.example"),
    ]
    return start_gateway({"model_list": models})


def ask(gateway: RunningGateway, model: str, **fields: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], **fields}
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "X-Mine": HEADER}
    return httpx.post(
        f"{gateway.base_url}/chat/completions", content=json.dumps(body), headers=headers, timeout=20
    )


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_of_a_call_is_told_where_it_does_not_belong(
    gateway: RunningGateway, upstream: ScriptedUpstream, stream: bool
) -> None:
    echoing = f"key {UPSTREAM_KEY}, header {HEADER}, role {ARN}, account {ACCOUNT}"
    upstream.answer = Answer(text=ANSWER)
    answers = [
        ask(gateway, model, stream=stream)
        for model in ("broken-key", "broken-header", "nowhere", "no-address", "unknown", "\ud800", 3)
    ]
    for told in (
        Answer(status=401, message=echoing),
        Answer(status=403, message=echoing),
        Answer(status=500, message=echoing * 50),
        Answer(status=429, message=echoing, headers=(("x-request-id", UPSTREAM_KEY),)),
        Answer(text=ANSWER, fault="cut", after=1),
        Answer(text=ANSWER, fault="event", message=echoing, after=1),
    ):
        upstream.then(told)
        answers.append(ask(gateway, "good", stream=stream))
    assert ask(gateway, "good", stream=stream).status_code == 200
    told_of_roles = [answer for answer in answers if "role arn:***, account ***" in answer.text]
    assert len(told_of_roles) == 4 + stream
    log = "".join(gateway.output)
    for secret in (*SECRETS, ACCOUNT, PROMPT, ANSWER):
        assert secret not in log
    for answer in answers:
        assert not (answer.status_code == 200 and not stream)
        shown = f"{answer.headers} {answer.text}"
        assert not [secret for secret in SECRETS if secret in shown]
        assert "assumed-role" not in shown and ACCOUNT not in shown
        assert "Traceback" not in shown and 'File "' not in log


def test_every_line_is_json_of_plain_characters(gateway: RunningGateway) -> None:
    for path in ("/v1/\u2028x", "/v1/\u202ex", "/v1/" + "x" * 20_000):
        httpx.get(f"{gateway.address}{path}", timeout=10)
    gateway.logged(lambda line: line.get("path", "").startswith("/v1/xxx"))
    assert len(gateway.lines) == len(gateway.output)
    assert all(line.isascii() and len(line) < 2_000 for line in gateway.output)
