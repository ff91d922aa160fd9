"""The HTTP client against sockets that do as they are told: over TLS, through proxies, with encoded bodies."""

import gzip
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pennyworth.gateway.http import client
from pennyworth.gateway.http.errors import Malformed, TooLarge, Truncated, Unreachable, Unsendable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def never() -> None:
    """Nothing ends the wait."""


@dataclass
class Peer:
    """A server that reads requests, and answers each with the next of its answers, the last one for ever."""

    answers: list[bytes]
    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


Serve = Callable[..., Peer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    listeners = []

    def start(*answers: bytes, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Peer:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        peer = Peer(list(answers), f"http{'s' if tls else ''}://{host}:{listener.getsockname()[1]}")

        def run() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    peer.connections += 1
                    threading.Thread(target=_talk, args=(peer, sock, tls), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        return peer

    yield start
    for listener in listeners:
        listener.close()


def _talk(peer: Peer, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError):
        sock.settimeout(10)
        sock = tls.wrap_socket(sock, server_side=True) if tls else sock
        with sock:
            while request := _read_request(sock):
                peer.requests.append(request)
                sock.sendall(peer.answers.pop(0) if len(peer.answers) > 1 else peer.answers[0])


def _read_request(sock: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        data = sock.recv(65536)
        if not data:
            return b""
        request += data
    head, _, body = request.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def ask(url: str, body: bytes = b"{}", limit: int = 1 << 20) -> bytes:
    exchange = client.post(f"{url}/v1/x", body, {}, never)
    try:
        return exchange.read(limit)
    finally:
        exchange.close()


def answered(head: str, body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    made = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *made],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_tls", ssl.create_default_context(cafile=certificate / "cert.pem"))


@pytest.mark.usefixtures("trusted")
def test_connections_over_tls_are_used_again(serve: Serve, server_tls: ssl.SSLContext) -> None:
    peer = serve(OK, tls=server_tls)
    assert [ask(peer.url, b"x" * 300_000) for _ in range(3)] == [b"ok"] * 3
    assert peer.connections == 1, "session tickets that follow the handshake are no early answer"


def test_a_certificate_that_is_not_trusted_is_refused(serve: Serve, server_tls: ssl.SSLContext) -> None:
    peer = serve(OK, tls=server_tls)
    with pytest.raises(Unreachable, match="certificate verify failed"):
        ask(peer.url)
    assert not peer.requests


@pytest.mark.parametrize("https", [False, True])
def test_a_proxy_is_gone_through_and_given_its_credentials(
    serve: Serve, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, trusted: None, https: bool
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    target = serve(OK, tls=server_tls if https else None, host="localhost")
    proxy = serve(OK)
    scheme = "https" if https else "http"
    monkeypatch.setenv(
        f"{scheme}_proxy", f"http://user%40corp:p%40ss%3Aw@{proxy.url.removeprefix('http://')}"
    )
    if https:
        with pytest.raises(Unreachable, match="proxy"):  # it answers, and nobody speaks TLS behind it
            ask(target.url)
        assert proxy.requests[0].startswith(b"CONNECT localhost:")
    else:
        assert ask(target.url) == b"ok"
        assert proxy.requests[0].startswith(f"POST {target.url}/v1/x HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic dXNlckBjb3JwOnBAc3M6dw==\r\n" in proxy.requests[0]
    monkeypatch.setenv("no_proxy", "localhost")
    assert ask(target.url) == b"ok"
    assert len(target.requests) == 1


def test_a_proxy_that_refuses_is_blamed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv("https_proxy", proxy.url)
    with pytest.raises(Unreachable, match=r"the proxy 127\.0\.0\.1:\d+ answers with status 407"):
        ask("https://somewhere.example")


def _raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"content")),
        ("X-GZIP", gzip.compress(b"con") + gzip.compress(b"tent")),
        ("deflate", zlib.compress(b"content")),
        ("deflate", _raw_deflate(b"content")),
        ("identity", b"content"),
    ],
)
def test_encoded_bodies_are_decoded(serve: Serve, coding: str, body: bytes) -> None:
    peer = serve(answered(f"Content-Encoding: {coding}\r\n", body))
    assert [ask(peer.url), ask(peer.url)] == [b"content", b"content"]
    assert peer.connections == 1


@pytest.mark.parametrize(
    ("coding", "body", "error"),
    [
        ("gzip", gzip.compress(b"content")[:-9], Truncated),
        ("gzip", b"nonsense", Malformed),
        ("gzip, gzip", gzip.compress(gzip.compress(b"content")), Malformed),
        ("br", b"content", Malformed),
    ],
)
def test_what_can_not_be_decoded_is_refused(
    serve: Serve, coding: str, body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(serve(answered(f"Content-Encoding: {coding}\r\n", body)).url)


def test_a_small_body_that_unfolds_into_a_gigabyte_is_never_held(serve: Serve) -> None:
    deflater = zlib.compressobj(9, wbits=31)
    bomb = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(1024)) + deflater.flush()
    peer = serve(answered("Content-Encoding: gzip\r\n", bomb))
    before = _peak()
    with pytest.raises(TooLarge):
        ask(peer.url, limit=8 << 20)
    assert _peak() - before < 64 << 20


def _peak() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if os.uname().sysname == "Darwin" else 1024)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\nb"},
        {"X-A": "a\r\nX-B: c"},
        {"X-A": "zero\u200bwidth"},
        {"X A": "b"},
        {"X-A": "\0"},
        {"": "x"},
    ],
)
def test_what_http_does_not_allow_is_not_sent(serve: Serve, headers: dict[str, str]) -> None:
    peer = serve(OK)
    with pytest.raises(Unsendable) as refused:
        client.post(f"{peer.url}/", b"", headers, never)
    assert not any(value and value in str(refused.value) for value in headers.values())
    assert not peer.requests


@pytest.mark.parametrize("url", ["ftp://a/b", "http://a:99999/", "http://127.0.0.1/a b", "http:///x", "x"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises((Unsendable, Unreachable)):
        client.get(url, {}, never)


def test_a_refusal_of_a_body_that_was_not_read_is_read(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(1000)
                sock.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
                time.sleep(0.5)

        threading.Thread(target=refuse, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        exchange = client.post(url, bytes(8 << 20), {}, never)
        assert (exchange.status, exchange.read(10)) == (413, b"big")
        exchange.close()


def test_a_slow_taker_gets_a_body_for_as_long_as_it_takes_some_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pennyworth.gateway.http.connection.CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        received = 0

        def dawdle() -> None:
            nonlocal received
            sock, _ = listener.accept()
            with sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                while received < 8 << 20:
                    received += len(sock.recv(1 << 20))
                    time.sleep(0.05)
                sock.sendall(OK)
                sock.recv(1)

        threading.Thread(target=dawdle, daemon=True).start()
        exchange = client.post(f"http://127.0.0.1:{listener.getsockname()[1]}/", bytes(8 << 20), {}, never)
        assert exchange.read(10) == b"ok"
        exchange.close()


def test_the_check_is_asked_also_where_bytes_never_cease(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def pour() -> None:
            sock, _ = listener.accept()
            with sock, suppress(OSError):
                sock.recv(1000)
                for _ in range(100):
                    sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
                    time.sleep(0.05)

        threading.Thread(target=pour, daemon=True).start()
        began = time.monotonic()

        def check() -> None:
            if time.monotonic() - began > 0.5:
                raise KeyError

        with pytest.raises(KeyError):
            client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", {}, check)
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_check_is_asked_while_a_connection_is_made(scheme: str) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        if scheme == "http":  # full, so that no further connection is made; over TLS, nobody answers
            if sys.platform != "linux":
                pytest.skip("other systems refuse at once")
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
        began = time.monotonic()

        def check() -> None:
            raise KeyError

        with pytest.raises(KeyError):
            client.get(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/", {}, check)
        assert time.monotonic() - began < 5
