"""Every provider family of the LiteLLM lane, through the official OpenAI SDK, against its real wire format."""

import threading
import time
from itertools import pairwise
from typing import Any

import httpx
import openai
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
from tests.gateway.conftest import RunningGateway
from tests.gateway.providers.conftest import Provider
from tests.gateway.providers.fake import Fake, Received
from tests.gateway.providers.wires import Answer, event_stream_message

QUESTION: Any = [{"role": "user", "content": "What is the capital of France?"}]
TEXT = "".join(Answer().text)
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def client(litellm_gateway: RunningGateway) -> openai.OpenAI:
    """The official SDK before the gateway."""
    return litellm_gateway.client()


def test_a_plain_answer(client: openai.OpenAI, name: str, provider: Provider, fake: Fake) -> None:
    fake.told(Answer())
    answer = client.chat.completions.create(model=name, messages=QUESTION, max_tokens=50, temperature=0.5)
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", TEXT, "stop")
    assert answer.object == "chat.completion"
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        11,
        7,
        18,
    )
    arrived(fake, provider, streamed=False)


def test_a_streamed_answer(client: openai.OpenAI, name: str, provider: Provider, fake: Fake) -> None:
    fake.told(Answer())
    chunks = list(client.chat.completions.create(model=name, messages=QUESTION, stream=True))
    pieces = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
    assert tuple(pieces) == Answer().text
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]
    assert not any(c.usage for c in chunks), "usage was not asked for"
    assert len({c.id for c in chunks}) == 1
    arrived(fake, provider, streamed=True)


def test_usage_of_a_stream(client: openai.OpenAI, name: str, provider: Provider, fake: Fake) -> None:
    fake.told(Answer())
    chunks = list(
        client.chat.completions.create(
            model=name, messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
    )
    assert [bool(c.usage) for c in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    usage = chunks[-1].usage
    assert usage
    if provider.tells_usage_in_streams:
        assert (usage.prompt_tokens, usage.completion_tokens) == (11, 7)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0


def test_usage_is_counted_where_a_provider_tells_none(client: openai.OpenAI, name: str, fake: Fake) -> None:
    fake.told(Answer(usage=None))
    chunks = list(
        client.chat.completions.create(
            model=name, messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
    )
    usage = chunks[-1].usage
    assert usage
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0


def test_a_stream_comes_as_it_is_made(client: openai.OpenAI, name: str, fake: Fake) -> None:
    fake.told(Answer(text=("one ", "two ", "three ", "four"), pause=0.25))
    times = [
        time.monotonic()
        for chunk in client.chat.completions.create(model=name, messages=QUESTION, stream=True)
        if chunk.choices[0].delta.content
    ]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == 3
    assert min(gaps) > 0.1, "pieces were held back"


def test_a_tool_call(client: openai.OpenAI, name: str, fake: Fake) -> None:
    fake.told(Answer(tool=("weather", {"city": "Paris"})))
    answer = client.chat.completions.create(model=name, messages=QUESTION, tools=[WEATHER])
    call: Any = (answer.choices[0].message.tool_calls or [])[0]
    assert (call.type, call.function.name) == ("function", "weather")
    assert call.id
    assert "".join(call.function.arguments.split()) == '{"city":"Paris"}'
    assert "weather" in str(fake.received[0].body), "the tool did not reach the provider"


def test_a_streamed_tool_call(client: openai.OpenAI, name: str, provider: Provider, fake: Fake) -> None:
    if not provider.streams_tools:
        pytest.skip("LiteLLM loses tool calls in this provider's streams")
    fake.told(Answer(tool=("weather", {"city": "Paris"})))
    chunks = list(client.chat.completions.create(model=name, messages=QUESTION, tools=[WEATHER], stream=True))
    calls = [call for c in chunks for call in c.choices[0].delta.tool_calls or []]
    assert [c.function.name for c in calls if c.function and c.function.name] == ["weather"]
    arguments = "".join(c.function.arguments or "" for c in calls if c.function)
    assert "".join(arguments.split()) == '{"city":"Paris"}'
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["tool_calls"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_providers_refusal(client: openai.OpenAI, name: str, fake: Fake, stream: bool) -> None:
    fake.told(Answer(status=429, message="Too many tokens, slow down."))
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model=name, messages=QUESTION, stream=stream)
    assert refused.value.body["message"] == "Too many tokens, slow down."  # type: ignore[index]
    assert len(fake.received) == 1, "a retry is the caller's to decide"


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_credentials_are_never_shown(
    client: openai.OpenAI, name: str, provider: Provider, fake: Fake, stream: bool
) -> None:
    fake.told(Answer(status=401, message=f"Incorrect key {provider.secret} given"))
    with pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model=name, messages=QUESTION, stream=stream)
    assert "Incorrect key *** given" in refused.value.message
    assert provider.secret not in refused.value.response.text


@pytest.mark.parametrize("stream", [False, True])
def test_nobody_listens(client: openai.OpenAI, name: str, stream: bool) -> None:
    with pytest.raises(openai.InternalServerError) as refused:
        client.chat.completions.create(model=f"{name}-nobody", messages=QUESTION, stream=stream)
    assert (refused.value.status_code, refused.value.code) == (502, "upstream_unreachable")


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
    fake.told(Answer(text=tuple("abcdefgh"), fails_after=6, message="Overloaded just now"))
    seen = []
    with pytest.raises(openai.APIError) as failed:
        for chunk in client.chat.completions.create(model=name, messages=QUESTION, stream=True):
            seen.append(chunk.choices[0].delta.content)
    assert "Overloaded just now" in failed.value.message
    assert "Traceback" not in failed.value.message
    assert "a" in seen


@pytest.mark.parametrize(("stream", "silent_after"), [(False, 0), (True, 0), (True, 5)])
def test_a_client_that_leaves_a_silent_provider(
    litellm_gateway: RunningGateway, name: str, fake: Fake, stream: bool, silent_after: int
) -> None:
    fake.told(Answer(text=tuple("abcdefgh"), silent_after=silent_after))
    impatient = litellm_gateway.client(timeout=1)

    def ask() -> None:
        answer = impatient.chat.completions.create(model=name, messages=QUESTION, stream=stream)
        for _ in answer if stream else ():
            pass

    with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)):
        ask()
    impatient.close()
    assert fake.hung_up.wait(1.5), "the upstream call went on after the client had gone"


def test_a_client_that_leaves_in_the_middle(litellm_gateway: RunningGateway, name: str, fake: Fake) -> None:
    fake.told(Answer(text=tuple("abcdefgh") * 20, pause=0.05))
    client = litellm_gateway.client()
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
    assert 0.9 < time.monotonic() - began < 3
    assert fake.hung_up.wait(1.5)


def test_a_stream_that_is_too_slow(client: openai.OpenAI, name: str, fake: Fake) -> None:
    fake.told(Answer(text=tuple("abcdefgh"), silent_after=6))
    with pytest.raises(openai.APIError) as late:
        for _ in client.chat.completions.create(model=f"{name}-impatient", messages=QUESTION, stream=True):
            pass
    assert late.value.code == "upstream_timeout"
    assert fake.hung_up.wait(1.5)


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
    "fallbacks": [{"model": "openai/gpt"}],
    "mock_response": "hello",
    "num_retries": 5,
    "timeout": 1,
    "success_callback": ["webhook"],
    "vertex_credentials": "{}",
    "_skip_mcp_handler": False,
}


@pytest.mark.parametrize("field", OVERRIDES)
def test_a_client_can_not_choose_the_connection(
    client: openai.OpenAI, fakes: dict[str, Fake], field: str
) -> None:
    fake = fakes["anthropic"]
    fake.told(Answer())
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="anthropic", messages=QUESTION, extra_body={field: OVERRIDES[field]}
        )
    assert (refused.value.code, refused.value.param) == ("unknown_parameter", field)
    assert not fake.received


def test_such_fields_have_no_effect_where_they_are_dropped(
    client: openai.OpenAI, name: str, provider: Provider, fake: Fake
) -> None:
    fake.told(Answer())
    answer = client.chat.completions.create(model=f"{name}-lenient", messages=QUESTION, extra_body=OVERRIDES)
    assert answer.choices[0].message.content == TEXT
    arrived(fake, provider, streamed=False)
    assert not OVERRIDES.keys() & fake.received[0].body.keys()


def test_a_providers_own_fields_reach_it(client: openai.OpenAI, fakes: dict[str, Fake]) -> None:
    fake = fakes["anthropic"]
    fake.told(Answer())
    client.chat.completions.create(
        model="anthropic", messages=QUESTION, max_tokens=50, stop=["END"], extra_body={"top_k": 5}
    )
    body = fake.received[0].body
    assert (body["top_k"], body["max_tokens"], body["stop_sequences"]) == (5, 50, ["END"])


def test_requests_in_parallel(litellm_gateway: RunningGateway, name: str, fake: Fake) -> None:
    fake.told(Answer(pause=0.2))
    texts: list[str] = []

    def ask() -> None:
        stream = litellm_gateway.client().chat.completions.create(model=name, messages=QUESTION, stream=True)
        texts.append("".join(chunk.choices[0].delta.content or "" for chunk in stream))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    alone = 0.2 * sum(1 for _ in fake.wire.events(fake.answer))
    assert texts == [TEXT] * 3
    assert time.monotonic() - began < 2 * alone, "one request waited for another"


def test_bedrocks_requests_are_signed(client: openai.OpenAI, fakes: dict[str, Fake]) -> None:
    fake = fakes["bedrock"]
    fake.told(Answer())
    client.chat.completions.create(model="bedrock", messages=QUESTION)
    received = fake.received[0]
    given = dict(
        part.split("=", 1) for part in received.headers["authorization"].split(" ", 1)[1].split(", ")
    )
    assert given["Credential"].split("/")[2:] == ["eu-central-1", "bedrock", "aws4_request"]
    assert given["Signature"] == signature(received, fake.url, given["SignedHeaders"].split(";"))


def test_the_fakes_event_streams_are_aws_own() -> None:
    buffer = EventStreamBuffer()  # checks both checksums
    buffer.add_data(event_stream_message("messageStart", {"role": "assistant"}))
    buffer.add_data(event_stream_message("throttlingException", {"message": "slow"}, "exception"))
    first, second = (message.to_response_dict() for message in buffer)
    assert (first["headers"][":event-type"], first["body"]) == ("messageStart", b'{"role": "assistant"}')
    assert second["headers"][":exception-type"] == "throttlingException"


def arrived(fake: Fake, provider: Provider, *, streamed: bool) -> None:
    """Exactly one request reached the provider, as its API wants it."""
    (received,) = fake.received
    assert received.path == provider.paths[streamed]
    assert provider.question(received.body) == QUESTION[0]["content"]
    for header, value in provider.credentials.items():
        assert received.headers.get(header, "").startswith(value), header


def signature(received: Received, url: str, signed: list[str]) -> str:
    """What botocore itself would have signed that request with."""
    signer = SigV4Auth(Credentials("AKIDEXAMPLE0123", "wJalrXUtnFEMI-0123456789"), "bedrock", "eu-central-1")
    headers = {header: received.headers[header] for header in signed}
    request = AWSRequest("POST", url + received.path, headers=headers, data=received.raw)
    request.context["timestamp"] = received.headers["x-amz-date"]
    text: str = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))
