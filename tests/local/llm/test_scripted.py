"""The scripted upstream, where its other users do not see it."""

import socket
import time
from http.client import HTTPConnection

import pytest
from openai import OpenAI

from pennyworth.local.llm.scripted import Answer, ScriptedUpstream


def test_a_client_that_breaks_off_between_requests_is_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    with ScriptedUpstream() as upstream:
        connection = HTTPConnection(upstream.base_url.removeprefix("http://").partition("/")[0])
        connection.request("GET", "/v1/models")
        connection.getresponse().read()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        time.sleep(0.2)
    assert capfd.readouterr().err == ""


def test_a_tool_call_arrives_whole_and_in_pieces() -> None:
    arguments = '{"city":"Paris"}'
    messages = [{"role": "user", "content": "hi"}]
    with ScriptedUpstream(Answer(tool=("weather", arguments))) as upstream:
        client = OpenAI(base_url=upstream.base_url, api_key="any")
        whole = client.chat.completions.create(model="m", messages=messages).choices[0]
        with client.chat.completions.stream(model="m", messages=messages) as events:
            pieced = events.get_final_completion().choices[0]
    for choice in (whole, pieced):
        (call,) = choice.message.tool_calls or ()
        assert (choice.finish_reason, call.function.name, call.function.arguments) == (
            "tool_calls",
            "weather",
            arguments,
        )
