"""Every provider family of the LiteLLM lane, through the official OpenAI SDK, against its real wire format."""

from typing import Any

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


@pytest.fixture(params=["sources", "package"])
def client(request: pytest.FixtureRequest) -> openai.OpenAI:
    """The official SDK before a gateway, run from the sources and from the function's package."""
    name = "packaged_gateway" if request.param == "package" else "gateway"
    running: RunningGateway = request.getfixturevalue(name)
    return running.client()


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
    fake.told(Answer(text=tuple("abcdefgh"), holds_after=5))
    stream = client.chat.completions.create(model=name, messages=QUESTION, stream=True)
    pieces = (chunk.choices[0].delta.content for chunk in stream)
    first = next(piece for piece in pieces if piece)
    assert not fake.go_on.is_set(), "the provider has not gone on yet"
    fake.go_on.set()
    assert first + "".join(piece or "" for piece in pieces) == "abcdefgh"


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
