"""An OpenAI-compatible API somewhere, as a client without any library sees it."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

_OURS = "pennyworth"
_NEXT = {
    401: "The key must be one of the deployment's API keys: give it in PENNYWORTH_API_KEY or by --key.",
    403: "API Gateway knows no such domain or path: the base URL ends in /v1, and a new domain takes minutes.",
    404: "Look at the base URL: it ends in /v1.",
    413: "Send less.",
    429: "Too many calls at once, or the provider's quota is used up.",
    500: "Look into the function's log.",
    502: "The function or the provider failed: look into the function's log.",
    503: "The function could not start: look into its log.",
    504: "The function or the provider was too slow: look into the function's log.",
}


class Failure(Exception):
    """A check failed; the message says how, and what to do next."""


class Unpromised(Failure):
    """The endpoint lacks what this project's gateway promises, and others need not have."""


class Skipped(Exception):
    """A check can't tell; the message says why."""


class Unreachable(Failure):
    """No answer at all: further checks would only repeat it."""

    def __init__(self, message: str, missing: Literal["name", "certificate", "answer"] = "answer") -> None:
        """
        Args:
            message: what was tried, and what to do next.
            missing: how far it got: the name does not resolve, the certificate does not fit, nothing answers.
        """
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body's JSON.

        Raises:
            Failure: it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failure(f"JSON was expected, not {shortened(self.body)!r}") from None

    def explained(self) -> str:
        """Its status and message, and what to do about it."""
        said = shortened(self.body)
        try:
            document = json.loads(self.body)
            error = document.get("error", document)
            said = shortened(str(error["message"] if isinstance(error, dict) else error))
        except (ValueError, LookupError, AttributeError):
            pass
        return f"HTTP {self.status}{': ' if said else ''}{said.rstrip('.')}. {_NEXT.get(self.status, '')}".strip()


class Endpoint:
    """An OpenAI-compatible API somewhere."""

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        connect: tuple[str, int] | None = None,
        timeout: float = 60.0,
    ) -> None:
        """
        Args:
            base_url: where it lies, ending in /v1 as SDKs have it.
            key: what it is called with.
            connect: host and port to connect to in place of the URL's own, whose name stays in the Host header
                and in TLS: for a domain that does not resolve (yet).
            timeout: seconds without a byte after which a call has failed.
        Raises:
            ValueError: the URL is not an http or https one.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"an http:// or https:// base URL is expected, not {base_url!r}")
        self.key = key
        self.timeout = timeout
        self.host = parts.hostname
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._path = parts.path.rstrip("/")
        self._connect = connect or (self.host, self._port)

    @classmethod
    def through(cls, emulator: str, base_url: str, key: str | None = None, **more: Any) -> "Endpoint":
        """An endpoint in an AWS emulator, where every domain is at one address, and without TLS.

        Args:
            emulator: the emulator's URL; empty for AWS itself.
            base_url: where it would lie in AWS.
            key: what it is called with.
            more: further arguments of Endpoint.
        """
        address = urlsplit(emulator)
        if not address.hostname:
            return cls(base_url, key, **more)
        connect = (address.hostname, address.port or 80)
        return cls(base_url.replace("https://", "http://", 1), key, connect=connect, **more)

    @cached_property
    def models(self) -> list[str]:
        """The models that it lists."""
        listing = self._expect(200, "GET", "/models").json()
        data = listing.get("data") if isinstance(listing, dict) else None
        names = [entry["id"] for entry in data or () if isinstance(entry, dict) and "id" in entry]
        if not names:
            raise Failure("it lists no models. Look at the configuration's model_list.")
        return names

    @cached_property
    def software(self) -> str:
        """What it says it is, such as "pennyworth 1.0"; empty where it says nothing."""
        try:
            document = self.call("GET", "/version").json()
            return f"{document['name']} {document['version']}"
        except (Failure, LookupError, TypeError):
            return ""

    @property
    def ours(self) -> bool:
        """Whether it says that it is this project's gateway."""
        return self.software.split(" ")[0] == _OURS

    def missing(self, timeout: float = 10.0) -> Unreachable | None:
        """What is missing for a connection, with TLS if the URL has it; None where nothing is."""
        try:
            self._connected(timeout).close()
        except Unreachable as unreachable:
            return unreachable
        return None

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Response:
        """Send a request and read the whole answer.

        Args:
            method: the HTTP method.
            path: below the base URL.
            body: JSON, if any.
            headers: further request headers.
            key: the bearer token; none is sent without.
        Raises:
            Unreachable: there was no answer.
        """
        with closing(self._open(method, path, body, headers or {}, key)) as connection:
            try:
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error) from error
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)

    def ask(self, model: str, question: str) -> Any:
        """The chat completion for a question."""
        return self._expect(200, "POST", "/chat/completions", chat(model, question)).json()

    def stream(
        self, model: str, question: str, *, timeout: float | None = None
    ) -> Generator[tuple[float, str], None, None]:
        """The chat completion for a question, streamed.

        Args:
            model: the model to ask.
            question: what it is asked.
            timeout: seconds without a byte after which it has failed; the endpoint's own by default.
        Yields:
            each line of the stream that is not empty, and when it arrived on time.monotonic()'s clock.
        """
        body = chat(model, question, stream=True)
        with closing(self._open("POST", "/chat/completions", body, {}, self.key, timeout)) as connection:
            try:
                answer = connection.getresponse()
                if answer.status != 200:
                    raise Failure(Response(answer.status, {}, answer.read()).explained())
                kind = answer.getheader("Content-Type", "")
                if not kind.startswith("text/event-stream"):
                    raise Failure(f"the stream's Content-Type is {kind!r}, not text/event-stream")
                pending = b""
                while piece := answer.read1(65536):
                    arrived = time.monotonic()
                    *lines, pending = (pending + piece).split(b"\n")
                    for line in lines:
                        if line.strip():
                            yield arrived, line.strip().decode(errors="replace")
            except (OSError, http.client.HTTPException) as error:
                raise Failure(f"the stream broke: {error or type(error).__name__}") from error

    def _expect(self, status: int, method: str, path: str, body: bytes | None = None) -> Response:
        answer = self.call(method, path, body=body, key=self.key)
        if answer.status != status:
            raise Failure(answer.explained())
        return answer

    def _open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        key: str | None,
        timeout: float | None = None,
    ) -> http.client.HTTPConnection:
        """A connection of its own, on which the request has been sent."""
        connection = http.client.HTTPConnection(self.host, self._port)
        connection.sock = self._connected(timeout or self.timeout)
        if self._tls:
            connection.default_port = 443  # leaves the usual port out of the Host header
        sent = dict(headers)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if key:
            sent["Authorization"] = f"Bearer {key}"
        try:
            connection.request(method, self._path + path, body, sent)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            pass  # who refuses a body may do so before its end: there may be an answer
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error
        return connection

    def _connected(self, timeout: float) -> socket.socket:
        try:
            plain = socket.create_connection(self._connect, timeout)
            try:
                return self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain
            except BaseException:
                plain.close()
                raise
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unreachable:
        place = f"{self._connect[0]}:{self._connect[1]}"
        match error:
            case socket.gaierror():
                return Unreachable(
                    f"{self._connect[0]} does not resolve. A new DNS record can take minutes: --wait 300."
                    " Without DNS: --connect HOST:PORT.",
                    "name",
                )
            case ssl.SSLCertVerificationError():
                return Unreachable(
                    f"the certificate of {place} is not valid for {self.host}: {error.verify_message}."
                    " It must be issued for this name before the domain works.",
                    "certificate",
                )
            case ConnectionRefusedError():
                text = f"nothing listens at {place}. Look at the URL's host and port."
            case TimeoutError():
                text = f"{place} did not answer within {self.timeout:g} s. Look into the function's log."
            case _:
                text = f"{place} did not answer: {error or type(error).__name__}"
        return Unreachable(text)


def chat(model: str, question: str, **more: Any) -> bytes:
    """A request for a chat completion."""
    # nothing that some model refuses: newer ones take neither max_tokens nor a temperature
    return json.dumps({"model": model, "messages": [{"role": "user", "content": question}], **more}).encode()


def shortened(text: str | bytes, length: int = 160) -> str:
    """The beginning of a text, on one line."""
    if isinstance(text, bytes):
        text = text[: 4 * length].decode(errors="replace")
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[:length]}..."
