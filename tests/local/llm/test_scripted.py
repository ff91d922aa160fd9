"""The scripted upstream, where its other users do not see it."""

import socket
import time
from http.client import HTTPConnection

import pytest

from pennyworth.local.llm.scripted import ScriptedUpstream


def test_a_client_that_breaks_off_between_requests_is_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    with ScriptedUpstream() as upstream:
        connection = HTTPConnection(upstream.base_url.removeprefix("http://").partition("/")[0])
        connection.request("GET", "/v1/models")
        connection.getresponse().read()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        time.sleep(0.2)
    assert capfd.readouterr().err == ""
