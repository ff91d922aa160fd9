"""What goes wrong on the LiteLLM lane, and what a client may not do, with every provider family."""

import time
from typing import Any

import httpx
import openai
import pytest
from tests.gateway.conftest import RunningGateway, Start
from tests.gateway.providers.conftest import Provider
from tests.gateway.providers.fake import Fake
from tests.gateway.providers.test_providers import QUESTION, TEXT, arrived
from tests.gateway.providers.wires import Answer


@pytest.fixture
def client(gateway: RunningGateway) -> openai.OpenAI:
    """The official SDK before the gateway."""
    return gateway.client()


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_credentials_are_never_shown(
    client: openai.OpenAI, name: str, provider: Provider, fake: Fake, stream: bool
) -> None:
    fake.told(Answer(status=401, message=f"Incorrect key {provider.secret} given"))
    with pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model=name, messages=QUESTION, stream=stream)
    assert "Incorrect key *** given" in refused.value.message
    assert provider.secret not in refused.value.response.text


ACCOUNT = "123456789012"
DENIED = (
    f"User: arn:aws:sts::{ACCOUNT}:assumed-role/endpoint-FunctionRole-X/fn is not authorized to perform:"
    f" bedrock:InvokeModel on resource: arn:aws-us-gov:bedrock:us-gov-west-1:{ACCOUNT}:inference-profile/x"
    f" (AccountId: {ACCOUNT}, account {ACCOUNT}); request 210987654321 of tokens 9876543210987"
)


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("stream", [False, True])
def test_the_operators_account_is_never_shown(
    gateway: RunningGateway, client: openai.OpenAI, name: str, fake: Fake, stream: bool, status: int
) -> None:
    fake.told(Answer(status=status, message=DENIED))
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(model=name, messages=QUESTION, stream=stream)
    shown = f"{refused.value.response.headers} {refused.value.response.text}"
    assert "User: arn:*** is not authorized to perform: bedrock:InvokeModel on resource: arn:***" in shown
    assert "(AccountId: ***, account ***); request 210987654321 of tokens 9876543210987" in shown
    assert ACCOUNT not in shown and ACCOUNT not in "".join(gateway.output)


@pytest.mark.parametrize("stream", [False, True])
def test_nobody_listens(client: openai.OpenAI, name: str, stream: bool) -> None:
    with pytest.raises(openai.InternalServerError) as refused:
        client.chat.completions.create(model=f"{name}-nobody", messages=QUESTION, stream=stream)
    assert (refused.value.status_code, refused.value.code) == (502, "upstream_unreachable")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("stream", [False, True])
def test_a_redirect_is_not_followed(
    client: openai.OpenAI, name: str, provider: Provider, fake: Fake, status: int, stream: bool
) -> None:
    with Fake(provider.wire) as stranger:
        fake.told(Answer(status=status, redirect=f"{stranger.url}/elsewhere?key=secret-in-the-query"))
        with pytest.raises(openai.InternalServerError) as refused:
            client.chat.completions.create(model=name, messages=QUESTION, stream=stream)
        assert (refused.value.status_code, refused.value.code) == (502, "upstream_redirected")
        assert f"{stranger.url}/elsewhere," in refused.value.message
        assert not stranger.received
    assert len(fake.received) == 1


def test_a_plain_answer_that_breaks(client: openai.OpenAI, name: str, fake: Fake) -> None:
    fake.told(Answer(breaks_after=0))
    with pytest.raises(openai.InternalServerError) as broke:
        client.chat.completions.create(model=name, messages=QUESTION)
    assert (broke.value.status_code, broke.value.code) == (502, "upstream_broken")


def test_a_stream_that_breaks(client: openai.OpenAI, name: str, fake: Fake) -> None:
    fake.told(Answer(text=tuple("abcdefgh"), breaks_after=6))
    seen = []
    with pytest.raises(openai.APIError) as broke:
        for chunk in client.chat.completions.create(model=name, messages=QUESTION, stream=True):
            seen.append(chunk.choices[0].delta.content)
    assert broke.value.code == "upstream_broken"
    assert "a" in seen, "what came before the break is lost"


def test_a_stream_that_fails(client: openai.OpenAI, name: str, fake: Fake) -> None:
    if name == "cohere":
        pytest.skip("Cohere's streams have no event for it")
    fake.told(Answer(text=tuple("abcdefgh"), fails_after=6, message=f"Overloaded just now. {DENIED}"))
    seen = []
    with pytest.raises(openai.APIError) as failed:
        for chunk in client.chat.completions.create(model=name, messages=QUESTION, stream=True):
            seen.append(chunk.choices[0].delta.content)
    assert "Overloaded just now" in failed.value.message
    assert ACCOUNT not in failed.value.message and "arn:***" in failed.value.message
    assert "Traceback" not in failed.value.message
    assert "a" in seen


EVENT_STREAM = (("Content-Type", "text/event-stream"),)


@pytest.mark.parametrize("end", [b"", b"\n\n"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_that_is_called_a_stream(
    client: openai.OpenAI, fakes: dict[str, Fake], stream: bool, end: bytes
) -> None:
    for name in ("anthropic", "gemini", "azure"):
        raw = b'{"error": {"message": "no credits left", "code": 402}}' + end
        fakes[name].told(Answer(raw=raw, raw_headers=EVENT_STREAM))
        with pytest.raises(openai.APIStatusError) as failed:
            client.chat.completions.create(model=name, messages=QUESTION, stream=stream)
        assert (name, failed.value.status_code) == (name, 402)
        assert "no credits left" in failed.value.message


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_a_streams_lines_end_as_the_standard_allows(
    client: openai.OpenAI, fakes: dict[str, Fake], end: bytes, mark: bytes
) -> None:
    for name in ("anthropic", "gemini", "azure"):
        raw = b"".join(fakes[name].wire.events(Answer())).replace(b"\r\n", b"\n").replace(b"\n", end)
        fakes[name].told(Answer(raw=mark + raw, raw_headers=EVENT_STREAM))
        stream = client.chat.completions.create(model=name, messages=QUESTION, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        assert (name, text) == (name, TEXT)


@pytest.mark.parametrize(("stream", "silent_after"), [(False, 0), (True, 0), (True, 5)])
def test_a_client_that_leaves_a_silent_provider(
    gateway: RunningGateway, name: str, fake: Fake, stream: bool, silent_after: int
) -> None:
    fake.told(Answer(text=tuple("abcdefgh"), silent_after=silent_after))
    impatient = gateway.client(timeout=1)

    def ask() -> None:
        answer = impatient.chat.completions.create(model=name, messages=QUESTION, stream=stream)
        for _ in answer if stream else ():
            pass

    with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)):
        ask()
    impatient.close()
    assert fake.hung_up.wait(1.5), "the upstream call went on after the client had gone"


def test_a_client_that_leaves_in_the_middle(gateway: RunningGateway, name: str, fake: Fake) -> None:
    fake.told(Answer(text=tuple("abcdefgh") * 20, pause=0.05))
    client = gateway.client()
    stream = client.chat.completions.create(model=name, messages=QUESTION, stream=True)
    next(iter(stream))
    stream.close()
    assert fake.hung_up.wait(3), "the upstream call went on after the client had gone"


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_is_too_slow(client: openai.OpenAI, name: str, fake: Fake, stream: bool) -> None:
    fake.told(Answer(silent_after=0))
    began = time.monotonic()
    with pytest.raises(openai.InternalServerError) as late:
        client.chat.completions.create(model=f"{name}-impatient", messages=QUESTION, stream=stream)
    assert (late.value.status_code, late.value.code) == (504, "upstream_timeout")
    assert 0.9 < time.monotonic() - began < 20  # LiteLLM may have to be loaded first
    assert fake.hung_up.wait(1.5)


def test_a_stream_that_is_too_slow(client: openai.OpenAI, name: str, fake: Fake) -> None:
    fake.told(Answer(text=tuple("abcdefgh"), silent_after=6))
    with pytest.raises(openai.APIError) as late:
        for _ in client.chat.completions.create(model=f"{name}-impatient", messages=QUESTION, stream=True):
            pass
    assert late.value.code == "upstream_timeout"
    assert fake.hung_up.wait(1.5)


def test_a_stream_may_take_longer_than_its_time_out(client: openai.OpenAI, fakes: dict[str, Fake]) -> None:
    fakes["anthropic"].told(Answer(text=tuple("abcdef"), pause=0.25))
    began = time.monotonic()
    chunks = list(client.chat.completions.create(model="anthropic-impatient", messages=QUESTION, stream=True))
    assert time.monotonic() - began > 1
    assert chunks[-1].choices == [] or chunks[-1].choices[0].finish_reason == "stop"


OVERRIDES = {
    "api_base": "http://127.0.0.1:1",
    "base_url": "http://127.0.0.1:1",
    "api_key": "mine",
    "custom_llm_provider": "openai",
    "aws_bedrock_runtime_endpoint": "http://127.0.0.1:1",
    "aws_access_key_id": "AKIDMINE",
    "extra_headers": {"x-api-key": "mine"},
    "headers": {"x-api-key": "mine"},
    "extra_body": {"model": "another"},
    "model_list": [{"model_name": "x"}],
    "fallbacks": ["anthropic"],
    "mock_response": "hello",
    "num_retries": 5,
    "timeout": 30,
    "success_callback": ["webhook"],
    "vertex_credentials": "{}",
}


def test_what_only_litellm_itself_sets_is_refused(client: openai.OpenAI, fakes: dict[str, Fake]) -> None:
    fake = fakes["anthropic"]
    fake.told(Answer())
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="anthropic", messages=QUESTION, extra_body={"_skip_mcp_handler": False}
        )
    assert (refused.value.code, refused.value.param) == ("unknown_parameter", "_skip_mcp_handler")
    assert not fake.received


@pytest.mark.parametrize("model", ["{}", "{}-lenient"])
def test_a_client_can_not_choose_the_connection(
    client: openai.OpenAI, name: str, provider: Provider, fake: Fake, model: str
) -> None:
    fake.told(Answer())
    answer = client.chat.completions.create(model=model.format(name), messages=QUESTION, extra_body=OVERRIDES)
    assert answer.choices[0].message.content == TEXT
    arrived(fake, provider, streamed=False)
    assert not OVERRIDES.keys() & fake.received[0].body.keys()


def test_what_the_operator_presets_of_a_provider_stays(client: openai.OpenAI, fakes: dict[str, Fake]) -> None:
    fake = fakes["bedrock"]
    fake.told(Answer())
    harmless = {"guardrailIdentifier": "none", "guardrailVersion": "1"}
    client.chat.completions.create(
        model="bedrock-guarded", messages=QUESTION, temperature=0.2, extra_body={"guardrailConfig": harmless}
    )
    body = fake.received[0].body
    assert body["guardrailConfig"]["guardrailIdentifier"] == "strict"
    assert body["inferenceConfig"]["temperature"] == 0.2, "of OpenAI's own fields, the client's win"


@pytest.mark.parametrize("messages", [None, [], "hello"])
def test_a_request_without_messages(client: openai.OpenAI, messages: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="anthropic", messages=messages)
    assert refused.value.param == "messages"


def test_a_providers_own_fields_reach_it(client: openai.OpenAI, fakes: dict[str, Fake]) -> None:
    fake = fakes["anthropic"]
    fake.told(Answer())
    client.chat.completions.create(
        model="anthropic", messages=QUESTION, max_tokens=50, stop=["END"], extra_body={"top_k": 5}
    )
    body = fake.received[0].body
    assert (body["top_k"], body["max_tokens"], body["stop_sequences"]) == (5, 50, ["END"])


def test_a_models_name_says_nothing_of_streams(start_gateway: Start, fakes: dict[str, Fake]) -> None:
    fake = fakes["azure"]
    fake.told(Answer())
    params = {
        "model": "azure/my-stream",
        "api_base": fake.url,
        "api_key": "az-0123456789",
        "api_version": "2024-10-21",
    }
    entry = {"model_name": "m", "litellm_params": params, "model_info": {"lane": "litellm"}}
    gateway = start_gateway({"model_list": [entry]})
    gateway.logged(lambda line: line.get("message") == "litellm loaded", seconds=90)
    answer = gateway.client().chat.completions.create(model="m", messages=QUESTION)
    assert answer.choices[0].message.content == TEXT


def test_requests_in_parallel(gateway: RunningGateway, name: str, fake: Fake) -> None:
    fake.told(Answer(text=tuple("abcdefgh"), holds_after=5))
    streams = [
        gateway.client().chat.completions.create(model=name, messages=QUESTION, stream=True) for _ in range(3)
    ]
    began = [next(iter(stream)) for stream in streams]  # all of them, before any can end
    assert len(began) == 3
    fake.go_on.set()
    for stream in streams:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream).endswith("gh")
