"""An OpenAI-compatible provider with scripted answers: text, pace and faults. Standard library only.

    with ScriptedUpstream(Answer(text="Hello.", pace=0.05)) as upstream:
        upstream.then(Answer(status=429, message="slow down"))   # the next request alone
        ...                                                      # call upstream.base_url
        upstream.requests[0].payload                             # what arrived

It listens on loopback. After it is closed, its address refuses connections.
"""

import json
import select
import socket
import sys
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from struct import pack
from typing import Any, Literal

NAME = "scripted"

Fault = Literal["cut", "silence", "event", "buffer"]
"""A fault: cut the connection, send nothing more, end a stream with an error event, or send it in one piece."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request for a completion or an embedding."""

    text: str = "The capital of France is Paris."
    """The message. A stream sends one word per chunk."""
    tool: tuple[str, str] | None = None
    """Instead of the message, a call of this tool: its name, and its arguments as JSON."""
    vector: tuple[float, ...] = (0.5, -0.25, 0.125)
    """The embedding of every input. 32-bit floats represent these numbers exactly."""
    delay: float = 0.0
    """The seconds before the status line."""
    pace: float = 0.0
    """The seconds before each chunk of a stream."""
    comment: str = ""
    """A keep-alive comment before each chunk of a stream. Empty: none."""
    status: int = 200
    message: str = ""
    """The error message, if the status is an error or the fault is `event`."""
    headers: tuple[tuple[str, str], ...] = ()
    """More response headers, such as Retry-After."""
    fault: Fault | None = None
    after: int | None = None
    """The chunks or bytes to send before the fault. None: not even the status line."""


@dataclass(slots=True)
class Received:
    """A received request."""

    method: str
    path: str
    headers: dict[str, str]
    """The headers by lower-case name."""
    raw: bytes
    payload: Any = None
    """The body as JSON, if it is."""
    finished: threading.Event = field(default_factory=threading.Event)
    """Set when it was answered, completely or partly."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when the client closed the connection before the end of the answer."""


class ScriptedUpstream:
    """The scripted provider, for the duration of a `with` block."""

    name = NAME
    """The model that /v1/models lists. It answers for any other model too."""

    def __init__(
        self, answer: Answer | None = None, *, key: str | None = None, largest: int | None = None
    ) -> None:
        """
        Args:
            answer: the answer to requests; can be changed at any time.
            key: the API key that it requires. None: none.
            largest: the maximum size of a body in bytes. It answers a larger one without reading it, and closes
                the connection.
        """
        self.answer = answer or Answer()
        self.key = key
        self.largest = largest
        self.requests: list[Received] = []
        self.closing = threading.Event()
        self._next: deque[Answer] = deque()
        upstream = self

        class Handler(_Handler):
            script = upstream

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        """Its OpenAI base URL, ending in /v1."""

    def then(self, *answers: Answer) -> None:
        """Set the answers to the next requests, one each. Then `answer` applies again."""
        self._next.extend(answers)

    def take(self, received: Received) -> Answer:
        """Return the answer for a request."""
        try:
            return self._next.popleft()
        except IndexError:
            return self.answer

    def __enter__(self) -> "ScriptedUpstream":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close the connection between requests."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Stop(Exception):
    """Ends the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    script: ScriptedUpstream
    received: Received

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._receive()
        if self.path.rstrip("/").endswith("/models"):
            model = {"id": self.script.name, "object": "model", "created": 0, "owned_by": "pennyworth"}
            self._json(200, {"object": "list", "data": [model]})
        else:
            self._error(404, f"no such path: {self.path}")

    def do_POST(self) -> None:
        if self.script.largest is not None and int(self.headers["Content-Length"]) > self.script.largest:
            self._json(413, _error(413, "too large"))
            self.close_connection = True
            return
        self._receive()
        answer = self.script.take(self.received)
        if self.script.key and self.headers.get("Authorization") != f"Bearer {self.script.key}":
            self._error(401, "Incorrect API key provided.")
            return
        try:
            self._wait(answer.delay)
            if answer.after is None:
                self._fail(answer)
            if answer.status != 200:
                self._error(answer.status, answer.message, answer.headers)
            elif isinstance(self.received.payload, dict) and self.received.payload.get("stream"):
                self._stream(answer)
            else:
                self._plain(answer)
        except _Stop:
            self.close_connection = True
        except OSError:
            self.received.cancelled.set()
            self.close_connection = True
        finally:
            self.received.finished.set()

    def _receive(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.received = Received(self.command, self.path, headers, raw)
        try:
            self.received.payload = json.loads(raw)
        except ValueError:
            self.received.payload = None
        self.script.requests.append(self.received)

    def _asks_for(self, name: str) -> bool:
        """Return whether the request's path, apart from version and deployment, is that of an endpoint."""
        return self.path.partition("?")[0].endswith(f"/{name}")

    def _plain(self, answer: Answer) -> None:
        if self._asks_for("embeddings"):
            body = self._embeddings(answer)
        elif self._asks_for("chat/completions"):
            message: dict[str, Any] = {"role": "assistant", "content": answer.text}
            if answer.tool:
                message |= {"content": None, "tool_calls": [_tool_call(*answer.tool)]}
            choice = {"index": 0, "message": message, "finish_reason": _finish(answer)}
            body = self._object("chat.completion", [choice], usage=self._usage(answer))
        else:
            choice = {"index": 0, "text": answer.text, "finish_reason": "stop", "logprobs": None}
            body = self._object("text_completion", [choice], usage=self._usage(answer))
        encoded = json.dumps(body).encode()
        self._head(
            200, [("Content-Type", "application/json"), ("Content-Length", str(len(encoded)))], answer.headers
        )
        if answer.after is not None:
            self.wfile.write(encoded[: answer.after])
            self._fail(answer)
            encoded = encoded[answer.after :]
        self.wfile.write(encoded)

    def _embeddings(self, answer: Answer) -> dict[str, Any]:
        """Return each input's vector, as numbers or base64."""
        payload = self.received.payload
        inputs = payload["input"] if isinstance(payload["input"], list) else [payload["input"]]
        packed = payload.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": b64encode(pack(f"<{len(answer.vector)}f", *answer.vector)).decode()
                if packed
                else list(answer.vector),
            }
            for index, _ in enumerate(inputs)
        ]
        usage = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
        return {
            "object": "list",
            "data": data,
            "model": payload.get("model") or self.script.name,
            "usage": usage,
        }

    def _stream(self, answer: Answer) -> None:
        self._head(
            200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")], answer.headers
        )
        for sent, event in enumerate(self._events(answer)):
            if sent == answer.after:
                self._fail(answer)
            self._wait(answer.pace)
            if answer.comment:
                self._chunk(f": {answer.comment}\n\n")
            self._chunk(f"data: {event}\n\n")
        self._chunk("")

    def _events(self, answer: Answer) -> Iterator[str]:
        if self._asks_for("chat/completions"):
            kind = "chat.completion.chunk"
            deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
            deltas += _tool_deltas(*answer.tool) if answer.tool else _text_deltas(answer.text)
            pieces: list[dict[str, Any]] = [{"delta": delta} for delta in [*deltas, {}]]
        else:
            kind = "text_completion"
            pieces = [{"text": word} for word in [*_words(answer.text), ""]]
        for left, piece in zip(reversed(range(len(pieces))), pieces, strict=True):
            choice = {"index": 0, **piece, "finish_reason": None if left else _finish(answer)}
            yield json.dumps(self._object(kind, [choice]))
        if (self.received.payload.get("stream_options") or {}).get("include_usage"):
            yield json.dumps(self._object(kind, [], usage=self._usage(answer)))
        yield "[DONE]"

    def _object(self, kind: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        model = (self.received.payload or {}).get("model") or self.script.name
        return {
            "id": "chatcmpl-scripted",
            "object": kind,
            "created": 0,
            "model": model,
            "choices": choices,
            **more,
        }

    def _usage(self, answer: Answer) -> dict[str, int]:
        prompt, completion = len(self.received.raw.split()), len(_words(answer.text))
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def _fail(self, answer: Answer) -> None:
        """Carry out the answer's fault, if any."""
        match answer.fault:
            case "silence":
                self._wait(float("inf"))
                raise _Stop
            case "cut":
                # a reset, so that the client does not take it for the end of the body
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.connection.close()
                raise _Stop
            case "event":
                self._chunk(f"data: {json.dumps(_error(answer.status, answer.message))}\n\n")
                self._chunk("")
                raise _Stop

    def _wait(self, seconds: float) -> None:
        """Wait, until the client closes the connection or the provider is closed."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.script.closing.is_set():
                raise _Stop
            readable, _, _ = select.select([self.connection], [], [], min(left, 0.05))
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                self.received.cancelled.set()
                raise _Stop
            if readable:
                time.sleep(min(left, 0.05))  # the next request has already arrived

    def _error(self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self._json(status, _error(status, message), headers)
        self.received.finished.set()

    def _json(self, status: int, body: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        encoded = json.dumps(body).encode()
        self._head(
            status, [("Content-Type", "application/json"), ("Content-Length", str(len(encoded)))], headers
        )
        self.wfile.write(encoded)

    def _head(self, status: int, headers: list[tuple[str, str]], more: tuple[tuple[str, str], ...]) -> None:
        self.send_response(status)
        for name, value in [*headers, *more]:
            self.send_header(name, value)
        self.end_headers()

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def _words(text: str) -> list[str]:
    """Split the text into words; joined, they are the text again."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def _text_deltas(text: str) -> list[dict[str, Any]]:
    """A stream's deltas: one a word."""
    return [{"content": word} for word in _words(text)]


def _tool_call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "call_scripted", "type": "function", "function": {"name": name, "arguments": arguments}}


def _tool_deltas(name: str, arguments: str) -> list[dict[str, Any]]:
    """A stream's deltas: the call without its arguments, then these in two pieces."""
    middle = len(arguments) // 2
    pieces = [{"function": {"arguments": piece}} for piece in (arguments[:middle], arguments[middle:])]
    return [{"tool_calls": [{"index": 0, **each}]} for each in (_tool_call(name, ""), *pieces)]


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.tool else "stop"


def _error(status: int, message: str) -> dict[str, Any]:
    kind = "invalid_request_error" if 400 <= status < 500 else "server_error"
    return {"error": {"message": message or "scripted error", "type": kind, "param": None, "code": None}}
