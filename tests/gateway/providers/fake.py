"""A provider on this machine: an HTTP server on loopback that answers as told, in a provider's own wire format."""

import json
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.gateway.providers.wires import Answer, Wire

_LONGEST_SILENCE_SECONDS = 20


@dataclass(frozen=True)
class Received:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    """By their names in lower case."""
    raw: bytes
    body: dict[str, Any]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client may reset an idle connection
            super().handle_error(request, client_address)


class Fake:
    """A running provider. Set `answer` before a request, look at `received` after it."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.answer = Answer()
        self.received: list[Received] = []
        self.hung_up = threading.Event()
        """Set when a client closed its connection while the provider was silent or still sending."""
        self.go_on = threading.Event()
        """Lets a stream that holds go on."""
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Fake":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def told(self, answer: Answer) -> None:
        """Forget what was, and answer like this from now on."""
        self.answer = answer
        self.received.clear()
        self.hung_up.clear()
        self.go_on.clear()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = json.loads(content)
                fake.received.append(Received(self.path, headers, content, request))
                try:
                    self._answer(fake.answer, fake.wire.streamed(self.path, request))
                except OSError:
                    fake.hung_up.set()
                    self.close_connection = True

            def _answer(self, answer: Answer, streamed: bool) -> None:
                if answer.silent_after == 0:
                    self._stay_silent()
                elif answer.raw is not None:
                    self._whole(answer.status, answer.raw, dict(answer.raw_headers))
                elif answer.redirect:
                    self._whole(answer.status, b"", {"Location": answer.redirect})
                elif answer.status >= 400:
                    headers, body = fake.wire.error(answer)
                    self._whole(answer.status, body, headers)
                elif streamed:
                    self._stream(answer)
                elif answer.breaks_after is not None:
                    self._cut(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
                    )
                else:
                    self._whole(200, fake.wire.whole(answer), dict(answer.raw_headers))

            def _whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _stream(self, answer: Answer) -> None:
                self.send_response(200)
                for name, value in (("Content-Type", fake.wire.stream_type), *answer.raw_headers):
                    self.send_header(name, value)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for index, event in enumerate(fake.wire.events(answer)):
                    if index == answer.silent_after:
                        self._stay_silent()
                        return
                    if index == answer.holds_after:
                        fake.go_on.wait(_LONGEST_SILENCE_SECONDS)
                    if index == answer.breaks_after:
                        self._cut(b"%x\r\n%b" % (len(event), event[: len(event) // 2]))
                        return
                    if index == answer.fails_after:
                        event = fake.wire.failure(answer)
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
                    if index == answer.fails_after:
                        break
                    time.sleep(answer.pause)
                self.wfile.write(b"0\r\n\r\n")

            def _cut(self, last: bytes) -> None:
                self.wfile.write(last)
                self.close_connection = True

            def _stay_silent(self) -> None:
                self.connection.settimeout(_LONGEST_SILENCE_SECONDS)
                if not self.connection.recv(1):
                    fake.hung_up.set()
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
