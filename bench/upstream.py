"""An upstream that streams 100 chunks as quickly as it can (`burst`), one each 3 ms (`paced`), or one (`single`)."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNKS = 100
PACE_SECONDS = 0.003


def _event(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    chunk = {
        "id": "chatcmpl-b",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }
    return _framed(f"data: {json.dumps(chunk)}\n\n".encode())


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


_EVENTS = [
    _event({"role": "assistant", "content": ""}),
    *(_event({"content": f" word{n}"}) for n in range(CHUNKS - 2)),
    _event({}, "stop"),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        model = json.loads(body)["model"]
        pause = PACE_SECONDS if model.endswith("paced") else 0
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for event in _EVENTS[-1:] if model.endswith("single") else _EVENTS:
            if pause:
                time.sleep(pause)
            self.wfile.write(event)
        self.wfile.write(_framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")


@contextlib.contextmanager
def running(python: str = sys.executable) -> Iterator[str]:
    """The upstream, in a process of its own; its host and port."""
    with subprocess.Popen([python, __file__], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"127.0.0.1:{int(process.stdout.readline() if process.stdout else 0)}"
        finally:
            process.terminate()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
