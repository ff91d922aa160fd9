"""The direct lane: real clients, a real gateway process, a real upstream on the other side."""

import http.client
import json
import socket
import threading
import time
from typing import Any

import openai
import pytest
from tests.gateway.conftest import KEY, UPSTREAM_KEY, RunningGateway, Start

from pennyworth.local.llm.scripted import Answer, ScriptedUpstream

QUESTION: Any = [{"role": "user", "content": "What is the capital of France?"}]


def ask(gateway: RunningGateway, **more: Any) -> Any:
    return gateway.client().chat.completions.create(model="smart", messages=QUESTION, **more)


def test_an_answer_comes_back_as_the_upstream_gave_it(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    answer = ask(gateway)
    assert answer.choices[0].message.content == "The capital of France is Paris."
    assert answer.usage.completion_tokens == 6
    received = upstream.requests[0]
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert received.payload == {"model": "real-name", "messages": QUESTION}


def test_chunks_pass_as_they_come(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.answer = Answer(text="one two three four", pace=0.1)
    first_seen_while_open = False
    text = ""
    for chunk in ask(gateway, stream=True):
        first_seen_while_open |= not upstream.requests[0].finished.is_set()
        text += chunk.choices[0].delta.content or ""
    assert text == "one two three four"
    assert first_seen_while_open


def test_of_a_stream_only_the_models_name_is_changed(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    def body(address: str, model: str, key: str) -> bytes:
        connection = http.client.HTTPConnection(address.removeprefix("http://").partition("/")[0], timeout=10)
        request = json.dumps({"model": model, "messages": QUESTION, "stream": True})
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", request, headers)
        content = connection.getresponse().read()
        connection.close()
        return content

    sent = body(upstream.base_url, "real-name", UPSTREAM_KEY)
    assert b'"model": "real-name"' in sent
    assert body(gateway.address, "smart", KEY) == sent.replace(b'"real-name"', b'"smart"')


def test_unknown_fields_pass_untouched(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    invented: dict[str, Any] = {"invented_yesterday": {"deep": [1, 2.5, None, "é😀"]}, "temperature": 0}
    ask(gateway, extra_body=invented)
    assert upstream.requests[0].payload == {"model": "real-name", "messages": QUESTION, **invented}


def test_a_request_that_needs_no_change_is_forwarded_byte_for_byte(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    gateway = start_gateway(
        None,
        env={
            "LITELLM_MODEL_PROVIDER": "openai",
            "OPENAI_API_KEY": UPSTREAM_KEY,
            "OPENAI_BASE_URL": upstream.base_url,
        },
    )
    raw = b'{ "model" : "m",\n "messages": [], "odd": 1.10, "odd": 12345678901234567890 }'
    status, _, _ = plain(gateway, "POST", "/v1/chat/completions", raw)
    assert status == 200
    assert upstream.requests[0].raw == raw


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "other", "messages": [], "model": "real-name"}',
        b'{"mod\\u0065l": "other", "messages": [], "model": "real-name"}',
        b'\xef\xbb\xbf{"model": "real-name", "messages": []}',
    ],
)
def test_an_upstream_reads_the_same_model_as_the_gateway(
    start_gateway: Start, upstream: ScriptedUpstream, body: bytes
) -> None:
    params = {"model": "openai/real-name", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    gateway = start_gateway({"model_list": [{"model_name": "real-name", "litellm_params": params}]})
    assert plain(gateway, "POST", "/v1/chat/completions", body)[0] == 200
    (received,) = upstream.requests
    assert received.raw.count(b"model") == received.raw.count(b'"model"') == 1
    assert received.raw.startswith(b"{") and b"other" not in received.raw


def test_half_a_surrogate_pair_still_makes_valid_json(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    plain(gateway, "POST", "/v1/chat/completions", b'{"model":"smart","messages":[],"user":"\\ud83d"}')
    assert upstream.requests[0].payload["user"] == "\ud83d"


def test_operators_presets_hold_where_the_client_says_nothing(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    params = {
        "model": "openai/m",
        "api_base": upstream.base_url,
        "api_key": UPSTREAM_KEY,
        "temperature": 0.1,
        "max_tokens": 7,
        "rpm": 60,
        "extra_body": {"forced": True},
    }
    gateway = start_gateway({"model_list": [{"model_name": "smart", "litellm_params": params}]})
    ask(gateway, temperature=0.9)
    payload = upstream.requests[0].payload
    assert (payload["temperature"], payload["max_tokens"], payload["forced"]) == (0.9, 7, True)
    assert "rpm" not in payload


@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500, 503])
def test_an_upstream_s_error_keeps_status_and_message(
    gateway: RunningGateway, upstream: ScriptedUpstream, status: int
) -> None:
    upstream.answer = Answer(status=status, message="too much of everything", headers=(("Retry-After", "7"),))
    with pytest.raises(openai.APIStatusError) as caught:
        ask(gateway)
    assert caught.value.status_code == status
    assert caught.value.body["message"] == "too much of everything"  # type: ignore[index]
    assert caught.value.response.headers["retry-after"] == "7"


def test_an_upstream_s_error_before_a_stream_is_a_plain_error(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.answer = Answer(status=429, message="slow down")
    with pytest.raises(openai.RateLimitError, match="slow down"):
        ask(gateway, stream=True)


def test_upstream_credentials_never_reach_the_client(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.answer = Answer(status=400, message=f"bad key {UPSTREAM_KEY} given")
    with pytest.raises(openai.BadRequestError, match=r"bad key \*\*\* given"):
        ask(gateway)
    assert UPSTREAM_KEY not in "".join(gateway.output)


def test_credentials_that_the_upstream_refuses_are_told_apart_from_the_client_s(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.key = "another"
    with pytest.raises(openai.AuthenticationError, match="refused the gateway's credentials"):
        ask(gateway)


@pytest.mark.parametrize("stream", [False, True])
def test_a_redirect_is_not_followed(
    gateway: RunningGateway, upstream: ScriptedUpstream, stream: bool
) -> None:
    with ScriptedUpstream() as stranger:
        target = f"{stranger.base_url}/elsewhere"
        upstream.answer = Answer(status=307, headers=(("Location", f"{target}?key={UPSTREAM_KEY}"),))
        with pytest.raises(openai.APIStatusError) as refused:
            ask(gateway, stream=stream)
        assert (refused.value.status_code, refused.value.code) == (502, "upstream_redirected")
        assert f"{target}," in refused.value.message
        assert not stranger.requests


def test_an_upstream_that_refuses_connections(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.__exit__()
    with pytest.raises(openai.APIStatusError) as caught:
        ask(gateway)
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_unreachable"


def test_an_upstream_that_hangs_up_before_it_answers(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.answer = Answer(fault="cut")
    with pytest.raises(openai.APIStatusError) as caught:
        ask(gateway)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_unreachable")


def test_an_upstream_that_is_too_slow(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    params = {"model": "openai/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY, "timeout": 0.6}
    gateway = start_gateway({"model_list": [{"model_name": "smart", "litellm_params": params}]})
    upstream.answer = Answer(fault="silence")
    with pytest.raises(openai.APIStatusError) as caught:
        ask(gateway)
    assert (caught.value.status_code, caught.value.code) == (504, "upstream_timeout")
    assert upstream.requests[0].cancelled.wait(5)


def test_a_stream_that_falls_silent(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    given = {
        "model": "openai/m",
        "api_base": upstream.base_url,
        "api_key": UPSTREAM_KEY,
        "stream_timeout": 0.4,
    }
    gateway = start_gateway({"model_list": [{"model_name": "smart", "litellm_params": given}]})
    upstream.answer = Answer(text="a b c d", fault="silence", after=2)
    with pytest.raises(openai.APIError) as late:
        list(ask(gateway, stream=True))
    assert late.value.code == "upstream_timeout"
    upstream.answer = Answer(fault="silence")
    with pytest.raises(openai.APIStatusError) as caught:
        ask(gateway, stream=True)
    assert (caught.value.status_code, caught.value.code) == (504, "upstream_timeout")
    upstream.answer = Answer(delay=0.6)  # not a stream: it has the model's timeout
    assert ask(gateway).choices


def test_the_function_s_own_end_is_the_deadline(start_gateway: Start, upstream: ScriptedUpstream) -> None:
    params = {"model": "openai/m", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    config = {"model_list": [{"model_name": "smart", "litellm_params": params}]}
    upstream.answer = Answer(fault="silence", after=2)
    body = json.dumps({"model": "smart", "messages": QUESTION, "stream": True}).encode()

    function = start_gateway(config, env={"AWS_LAMBDA_FUNCTION_NAME": "f"})
    headers = {"x-amzn-lambda-context": json.dumps({"deadline": int((time.time() + 4) * 1000)})}
    status, _, answer = plain(function, "POST", "/v1/chat/completions", body, headers)
    assert status == 200
    assert json.loads(answer.decode().rstrip().rpartition("data: ")[2])["error"]["code"] == "upstream_timeout"
    assert upstream.requests[0].cancelled.wait(5)


@pytest.mark.parametrize("after", [0, 2])
def test_a_stream_that_breaks_half_way_ends_with_an_error_event(
    gateway: RunningGateway, upstream: ScriptedUpstream, after: int
) -> None:
    upstream.answer = Answer(text="one two three", fault="cut", after=after)
    seen = []
    with pytest.raises(openai.APIError, match="broke off"):
        for chunk in ask(gateway, stream=True):
            seen.append(chunk)
    assert len(seen) == after


def test_a_plain_answer_that_breaks_half_way_is_an_error_of_its_own(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.answer = Answer(fault="cut", after=10)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(gateway)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_broken")


STOPPED = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'


@pytest.mark.parametrize(
    ("head", "pieces", "whole"),
    [
        ("", [b"data: {}\n\n", b"data: [DO", b"NE]\n\n"], True),
        ("", [b"data: {}\n\n"], False),
        ("", [STOPPED], True),
        ("Transfer-Encoding: chunked\r\n", [b"%x\r\n%b\r\n0\r\n\r\n" % (len(STOPPED), STOPPED)], True),
        ("Content-Length: 24\r\n", [b"data: {}\n\n", b"data: [DONE]\n\n"], True),
        ("Content-Length: 24\r\n", [b"data: {}\n\n", b"data: [DON"], False),
        ("Transfer-Encoding: chunked\r\n", [b"a\r\ndata: {}\n\n\r\n", b"0\r\n\r\n"], False),
        ("Transfer-Encoding: chunked\r\n", [b"a\r\ndata: {}\n\n\r\n"], False),
        ("Transfer-Encoding: chunked\r\n", [b"a\r\ndata"], False),
    ],
)
def test_a_stream_is_whole_only_with_its_end(
    start_gateway: Start, head: str, pieces: list[bytes], whole: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(f"HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n".encode())
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(0.02)
                # closed with some of the request unread, it would be reset, and what is under way lost
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        threading.Thread(target=serve, daemon=True).start()
        params = {"model": "hosted_vllm/m", "api_base": f"http://127.0.0.1:{listener.getsockname()[1]}/v1"}
        gateway = start_gateway({"model_list": [{"model_name": "smart", "litellm_params": params}]})
        body = json.dumps({"model": "smart", "messages": [], "stream": True}).encode()
        answer = plain(gateway, "POST", "/v1/chat/completions", body)[2]
    assert (b'"code": "upstream_broken"' in answer) is not whole
    assert answer.endswith(b"data: [DONE]\n\n") is whole


@pytest.mark.parametrize(
    "answer",
    [Answer(fault="silence"), Answer(fault="silence", after=1), Answer(pace=0.2, text="word " * 100)],
    ids=["before the answer", "in a silent stream", "in a running stream"],
)
def test_a_client_that_hangs_up_cancels_the_upstream_call(
    gateway: RunningGateway, upstream: ScriptedUpstream, answer: Answer
) -> None:
    upstream.answer = answer
    connection = http.client.HTTPConnection(gateway.address.removeprefix("http://"), timeout=10)
    body = json.dumps({"model": "smart", "messages": QUESTION, "stream": True})
    connection.request(
        "POST",
        "/v1/chat/completions",
        body,
        {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    wait_for(lambda: upstream.requests)
    if answer.after or answer.pace:
        assert connection.getresponse().read1(10)
    connection.sock.shutdown(socket.SHUT_RDWR) if connection.sock else None
    connection.close()
    assert upstream.requests[0].cancelled.wait(5)
    assert gateway.logged(lambda line: line.get("message") == "request")["error"] == "client_disconnected"


def test_connections_to_the_upstream_are_used_again(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    accepted = count_connections(upstream)
    for stream in (False, True, False, True):
        answer = ask(gateway, stream=stream)
        if stream:
            list(answer)
    assert len(upstream.requests) == 4
    assert len(accepted) == 1


def test_a_request_that_an_upstream_may_have_worked_on_is_not_sent_twice(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    ask(gateway)
    upstream.then(Answer(delay=1.5, fault="cut"))
    with pytest.raises(openai.APIStatusError) as caught:
        ask(gateway)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_unreachable")
    assert len(upstream.requests) == 2


def test_a_request_that_meets_a_closing_connection_is_sent_again(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    ask(gateway)
    upstream.then(Answer(fault="cut"))
    assert ask(gateway).choices[0].message.content
    assert len(upstream.requests) == 3


def test_a_connection_that_went_stale_is_replaced(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    accepted = count_connections(upstream)
    ask(gateway)
    accepted[0].shutdown(socket.SHUT_RDWR)
    assert ask(gateway).choices[0].message.content
    assert len(accepted) == 2


def test_a_wildcard_lists_and_serves_what_the_upstream_has(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    params = {"model": "hosted_vllm/*", "api_base": upstream.base_url, "api_key": UPSTREAM_KEY}
    gateway = start_gateway({"model_list": [{"model_name": "own/*", "litellm_params": params}]})
    assert [model.id for model in gateway.client().models.list()] == ["own/scripted"]
    gateway.client().chat.completions.create(model="own/org/any", messages=QUESTION)
    assert upstream.requests[-1].payload["model"] == "org/any"


def test_a_provider_named_by_the_environment_serves_all_its_models(
    start_gateway: Start, upstream: ScriptedUpstream
) -> None:
    credentials = (
        f"# the provider's\nexport OPENAI_API_KEY='{UPSTREAM_KEY}'\nOPENAI_BASE_URL={upstream.base_url}\n"
    )
    gateway = start_gateway(
        None, env={"LITELLM_MODEL_PROVIDER": "openai", "PROVIDER_CREDENTIALS": credentials}
    )
    for name in ("gpt-x", "openai/gpt-x"):
        gateway.client().chat.completions.create(model=name, messages=QUESTION)
        assert upstream.requests[-1].payload["model"] == "gpt-x"


def test_litellm_is_never_imported_on_this_lane(gateway: RunningGateway) -> None:
    list(ask(gateway, stream=True))
    assert gateway.rss() < 60 * 1024


def plain(
    gateway: RunningGateway,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """A request without a client's conveniences: status, headers in lower case, body."""
    connection = http.client.HTTPConnection(gateway.address.removeprefix("http://"), timeout=15)
    sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", **(headers or {})}
    connection.request(method, path, body, {name: value for name, value in sent.items() if value})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, content


def wait_for(condition: Any, seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def count_connections(upstream: ScriptedUpstream) -> list[socket.socket]:
    """The connections that the upstream accepts from now on."""
    accepted: list[socket.socket] = []
    get_request = upstream._server.get_request

    def counting() -> Any:
        connection, address = get_request()
        accepted.append(connection)
        return connection, address

    upstream._server.get_request = counting  # type: ignore[method-assign]
    return accepted
