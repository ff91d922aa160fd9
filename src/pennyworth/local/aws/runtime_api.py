"""The Lambda Runtime API and Extensions API of one execution environment, on loopback.

Its client is the function's runtime, here a Web Adapter. The runtime requests the next invocation and posts the
response as it is produced. Each chunk is passed on at once.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import base64
import io
import json
import queue
import re
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 65536
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
_ERROR_BODY = "Lambda-Runtime-Function-Error-Body"


class FunctionError(Exception):
    """An invocation failed. Has the type and message that Lambda reports."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_
        self.message = message

    def payload(self) -> dict[str, str]:
        """The error in the format of Invoke."""
        return {"errorType": self.type, "errorMessage": self.message}


Receiver = Callable[[bytes | FunctionError | None], None]
"""Receives a response: each chunk, then None at the end or the error that ended it."""


@dataclass
class Invocation:
    """An invocation of a function.

    Args:
        event: the payload, as JSON.
        receive: receives the response. If it blocks, the function waits.
        arn: the invoked ARN.
        trace_id: the X-Ray trace header, if any.
    """

    event: bytes
    receive: Receiver
    arn: str
    trace_id: str | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deadline_ms: int = 0
    error: FunctionError | None = None
    done: threading.Event = field(default_factory=threading.Event)
    _ending: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, chunk: bytes) -> None:
        """Pass on a chunk of the response."""
        if not self.done.is_set():
            self.receive(chunk)

    def finish(self, error: FunctionError | None = None) -> None:
        """End the response. Only the first call has an effect."""
        with self._ending:
            if self.done.is_set():
                return
            self.error = error
            self.done.set()

    def tell_end(self) -> None:
        """Tell the receiver that the response has ended, and how."""
        self.receive(self.error)


class RuntimeApi:
    """Serves one execution environment, which handles one invocation at a time."""

    def __init__(self, describe: Mapping[str, str], on_ready: Callable[[FunctionError | None], None]) -> None:
        """Listen on a free port.

        Args:
            describe: the response to an extension that registers: functionName, functionVersion and handler.
            on_ready: called when the runtime first requests an invocation, or reports that it can't start.
        """
        self.describe = describe
        self.on_ready = on_ready
        self.current: Invocation | None = None
        self._offered: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True, name="runtime-api").start()

    def offer(self, invocation: Invocation) -> None:
        """Give an invocation to the runtime with its next request."""
        self.current = invocation
        self._offered.put(invocation)

    def next(self) -> Invocation | None:
        """Wait for an invocation. Returns None when the environment ends."""
        return self._offered.get()

    def wait_for_end(self) -> None:
        """Block until the environment ends."""
        self._closed.wait()

    def invocation(self, request_id: str) -> Invocation | None:
        """Return the current invocation, if this is its ID."""
        current = self.current
        return current if current and current.request_id == request_id and not current.done.is_set() else None

    def close(self) -> None:
        """Stop listening and end every waiting request."""
        self._closed.set()
        self._offered.put(None)
        # shutdown() waits up to half a second, so call it in a thread
        threading.Thread(target=self._shut, daemon=True, name="runtime-api-end").start()

    def _shut(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Acknowledging(io.RawIOBase):
    """The reading side of a socket, with immediate TCP acknowledgements.

    A client with Nagle's algorithm, such as the Web Adapter, delays a small second write until the first is
    acknowledged. The kernel delays acknowledgements by 40 ms by default.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._sock.recv_into(buffer)
        if hasattr(socket, "TCP_QUICKACK"):  # Linux
            with suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return count


class _Handler(BaseHTTPRequestHandler):
    api: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # send status line, headers and body together

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Acknowledging(self.connection), CHUNK)

    def do_GET(self) -> None:
        self._route("GET")

    def do_POST(self) -> None:
        self._route("POST")

    def _route(self, method: str) -> None:
        try:
            for verb, pattern, handle in _ROUTES:
                if verb == method and (found := pattern.fullmatch(self.path)):
                    handle(self, *found.groups())
                    break
            else:
                self._drain()
                self._answer(404, {"errorMessage": f"no such path: {self.path}", "errorType": "NotFound"})
            self.wfile.flush()
        except (OSError, ValueError):  # the runtime has ended, or does not speak HTTP
            self.close_connection = True

    def next_invocation(self) -> None:
        self.api.on_ready(None)
        invocation = self.api.next()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
            **({"Lambda-Runtime-Trace-Id": invocation.trace_id} if invocation.trace_id else {}),
        }
        self._answer(200, invocation.event, headers)

    def response(self, request_id: str) -> None:
        invocation = self.api.invocation(request_id)
        if invocation is None:
            self._drain()
            self._answer(400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"})
            return
        error: FunctionError | None = None
        try:
            for chunk in self._body():
                # the Rust runtime, and so the Web Adapter, sends the trailers as a last chunk
                if chunk.startswith(_ERROR_TYPE.encode() + b": "):
                    error = _stream_error(_fields(chunk.decode("latin-1").splitlines()))
                else:
                    invocation.deliver(chunk)
            error = error or _stream_error(self.trailers)
        except (OSError, ValueError):
            error = FunctionError("Runtime.TruncatedResponse", "the response broke off")
            self.close_connection = True
        invocation.finish(error)
        if not self.close_connection:
            self._answer(202, {"status": "OK"})

    def failure(self, request_id: str) -> None:
        error = self._reported()
        if invocation := self.api.invocation(request_id):
            invocation.finish(error)
        self._answer(202, {"status": "OK"})

    def init_failure(self) -> None:
        self.api.on_ready(self._reported())
        self._answer(202, {"status": "OK"})

    def register_extension(self) -> None:
        self._drain()
        self._answer(200, dict(self.api.describe), {"Lambda-Extension-Identifier": str(uuid.uuid4())})

    def extension_event(self) -> None:
        self._drain()
        self.api.wait_for_end()  # no events are sent: the Web Adapter registers for none
        self.close_connection = True

    def _reported(self) -> FunctionError:
        try:
            report = json.loads(b"".join(self._body()) or b"{}")
            return FunctionError(str(report["errorType"]), str(report["errorMessage"]))
        except (ValueError, KeyError, TypeError):
            return FunctionError(
                self.headers.get(_ERROR_TYPE) or "Runtime.Unknown", "the runtime reported an error"
            )

    def _body(self) -> Iterator[bytes]:
        """Yield the request's body as it arrives. Stores its trailers in `self.trailers`."""
        self.trailers: dict[str, str] = {}
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            yield from self._exactly(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline(CHUNK).split(b";")[0], 16):
            yield from self._exactly(size)
            self.rfile.readline(CHUNK)
        self.trailers = _fields(iter(lambda: self.rfile.readline(CHUNK).decode("latin-1").strip(), ""))

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            part = self.rfile.read1(min(size, CHUNK))
            if not part:
                raise ConnectionError("the request's body broke off")
            size -= len(part)
            yield part

    def _drain(self) -> None:
        for _ in self._body():
            pass

    def _answer(
        self, status: int, body: bytes | dict[str, str], headers: Mapping[str, str] | None = None
    ) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a runtime's requests are routine."""


_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., None]], ...] = (
    ("GET", re.compile(r"/2018-06-01/runtime/invocation/next"), _Handler.next_invocation),
    ("POST", re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/response"), _Handler.response),
    ("POST", re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/error"), _Handler.failure),
    ("POST", re.compile(r"/2018-06-01/runtime/init/error"), _Handler.init_failure),
    ("POST", re.compile(r"/2020-01-01/extension/register"), _Handler.register_extension),
    ("GET", re.compile(r"/2020-01-01/extension/event/next"), _Handler.extension_event),
    ("POST", re.compile(r"/2020-01-01/extension/(?:init|exit)/error"), _Handler.init_failure),
)


def _fields(lines: Iterator[str] | list[str]) -> dict[str, str]:
    return {name.strip().title(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _stream_error(trailers: Mapping[str, str]) -> FunctionError | None:
    """Return the error in the trailers of a streamed response, if any."""
    if _ERROR_TYPE not in trailers:
        return None
    try:
        message = base64.b64decode(trailers.get(_ERROR_BODY, "")).decode(errors="replace")
    except ValueError:
        message = ""
    return FunctionError(trailers[_ERROR_TYPE], message or "the response broke off")
