"""A client of an OpenAI-compatible API, with the standard library alone."""

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
    401: "Set PENNYWORTH_API_KEY or --key to one of the endpoint's API keys.",
    403: "API Gateway has no such domain or path. The base URL ends in /v1. A new domain takes some minutes.",
    404: "Check the base URL: it ends in /v1.",
    413: "Send a smaller request.",
    429: "Too many calls at once, or the provider's quota is used up. Try again later.",
    500: "Read the function's log.",
    502: "The function or the provider failed. Read the function's log.",
    503: "The function could not start. Read its log.",
    504: "The function or the provider was too slow. Read the function's log.",
}
ACCESS_DENIED = "access_denied"
"""The code of the error for callers that the endpoint's AllowedIps or web ACL refuse."""
_NOT_FROM_HERE = (
    "The stack's AllowedIps or WebAclArn refuse this machine. Add its address, or test from elsewhere."
)


class Failure(Exception):
    """A check failed. The message says why, and what to do next."""


class Unpromised(Failure):
    """The endpoint lacks something that only this project's gateway guarantees."""


class Skipped(Exception):
    """A check could not be made. The message says why."""


class Refused(Failure):
    """The endpoint refuses the API key, or asks for one, so further calls would fail too."""


class Unreachable(Failure):
    """The endpoint did not answer at all, so further checks would fail too."""

    def __init__(self, message: str, missing: Literal["name", "certificate", "answer"] = "answer") -> None:
        """
        Args:
            message: what was tried, and what to do next.
            missing: what failed: resolving the name, verifying the certificate, or getting an answer.
        """
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Response:
    """A complete HTTP response."""

    status: int
    headers: Mapping[str, str]
    """The headers by lower-case name."""
    body: bytes

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            Failure: the body is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failure(f"expected JSON, not {shorten(self.body)!r}") from None

    def explain(self) -> str:
        """Return the status, the error message, and what to do about it."""
        said = shorten(self.body)
        try:
            document = json.loads(self.body)
            error = document.get("error", document)
            said = shorten(str(error["message"] if isinstance(error, dict) else error))
        except (ValueError, LookupError, AttributeError):
            pass
        following = _NOT_FROM_HERE if self.is_denied() else _NEXT.get(self.status, "")
        return f"HTTP {self.status}{': ' if said else ''}{said.rstrip('.')}. {following}".strip()

    def is_denied(self) -> bool:
        """Whether the endpoint refuses calls from this machine, whatever their key."""
        return self.status == 403 and f'"{ACCESS_DENIED}"'.encode() in self.body

    def fail(self) -> Failure:
        """Return the failure of a check that expected another status."""
        return (Refused if self.status == 401 else Failure)(self.explain())


class Endpoint:
    """An OpenAI-compatible API."""

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
            base_url: its base URL, ending in /v1, as for OpenAI's SDKs.
            key: the API key. None: send none.
            connect: the host and port to connect to instead of the URL's, for a domain that does not resolve
                yet. The Host header and TLS still use the URL's host name.
            timeout: the seconds without data after which a call fails.
        Raises:
            ValueError: the base URL does not start with http:// or https://.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"expected a base URL with http:// or https://, not {base_url!r}")
        self.key = key
        self.timeout = timeout
        self.host = parts.hostname
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._path = parts.path.rstrip("/")
        self._connect = connect or (self.host, self._port)

    @classmethod
    def through(cls, emulator: str, base_url: str, key: str | None = None, **more: Any) -> "Endpoint":
        """Create an endpoint in an AWS emulator, which serves every domain at one address without TLS.

        Args:
            emulator: the emulator's URL. Empty: AWS.
            base_url: its base URL in AWS.
            key: the API key. None: send none.
            more: further arguments of Endpoint.
        """
        address = urlsplit(emulator)
        if not address.hostname:
            return cls(base_url, key, **more)
        connect = (address.hostname, address.port or 80)
        return cls(base_url.replace("https://", "http://", 1), key, connect=connect, **more)

    @cached_property
    def models(self) -> list[str]:
        """The names of the models that it lists.

        Raises:
            Failure: it lists none.
        """
        listing = self._expect(200, "GET", "/models").json()
        data = listing.get("data") if isinstance(listing, dict) else None
        names = [entry["id"] for entry in data or () if isinstance(entry, dict) and "id" in entry]
        if not names:
            raise Failure("it lists no models. Check model_list in the configuration.")
        return names

    @cached_property
    def software(self) -> str:
        """The name and version in its /version, such as "pennyworth 1.0". Empty if it has none."""
        try:
            document = self.call("GET", "/version").json()
            return f"{document['name']} {document['version']}"
        except (Failure, LookupError, TypeError):
            return ""

    @property
    def ours(self) -> bool:
        """Whether it is this project's gateway, by its /version."""
        return self.software.split(" ")[0] == _OURS

    def diagnose(self, timeout: float = 10.0) -> Unreachable | None:
        """Try to connect, with TLS if the URL has it. Returns what failed, or None.

        Args:
            timeout: the seconds to wait for the connection.
        """
        try:
            self._open_socket(timeout).close()
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
        """Send a request and read the whole response.

        Args:
            method: the HTTP method.
            path: the path after the base URL.
            body: the JSON body, if any.
            headers: further request headers.
            key: the API key. None: send none.
        Raises:
            Unreachable: there was no response.
        """
        with closing(self._open(method, path, body, headers or {}, key)) as connection:
            try:
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise self._explain_failure(error) from error
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)

    def ask(self, model: str, question: str) -> Any:
        """Return the chat completion for a question.

        Raises:
            Failure: the endpoint returned an error.
        """
        return self._expect(200, "POST", "/chat/completions", make_chat_request(model, question)).json()

    def stream(
        self, model: str, question: str, *, timeout: float | None = None
    ) -> Generator[tuple[float, str], None, None]:
        """Stream the chat completion for a question.

        Args:
            model: the model to ask.
            question: the user message.
            timeout: the seconds without data after which it fails. Default: the endpoint's.
        Yields:
            when each non-empty line arrived, as time.monotonic(), and the line.
        Raises:
            Failure: the endpoint returned an error, or the stream broke.
        """
        body = make_chat_request(model, question, stream=True)
        with closing(self._open("POST", "/chat/completions", body, {}, self.key, timeout)) as connection:
            try:
                answer = connection.getresponse()
                if answer.status != 200:
                    raise Response(answer.status, {}, answer.read()).fail()
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
            raise answer.fail()
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
        """Open a new connection and send the request on it."""
        connection = http.client.HTTPConnection(self.host, self._port)
        connection.sock = self._open_socket(timeout or self.timeout)
        if self._tls:
            connection.default_port = 443  # keeps the port out of the Host header
        sent = dict(headers)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if key:
            sent["Authorization"] = f"Bearer {key}"
        try:
            connection.request(method, self._path + path, body, sent)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            pass  # a server may refuse a body before its end and still have sent a response
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._explain_failure(error) from error
        return connection

    def _open_socket(self, timeout: float) -> socket.socket:
        try:
            plain = socket.create_connection(self._connect, timeout)
            try:
                return self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain
            except BaseException:
                plain.close()
                raise
        except OSError as error:
            raise self._explain_failure(error) from error

    def _explain_failure(self, error: Exception) -> Unreachable:
        place = f"{self._connect[0]}:{self._connect[1]}"
        match error:
            case socket.gaierror():
                return Unreachable(
                    f"{self._connect[0]} does not resolve. A new DNS record can take minutes: --wait 300. To skip DNS,"
                    " use --connect HOST:PORT.",
                    "name",
                )
            case ssl.SSLCertVerificationError():
                return Unreachable(
                    f"the certificate of {place} is not valid for {self.host}: {error.verify_message}."
                    " Wait until a certificate for this name is issued.",
                    "certificate",
                )
            case ConnectionRefusedError():
                text = f"nothing listens at {place}. Check the URL's host and port."
            case TimeoutError():
                text = f"{place} did not answer within {self.timeout:g} s. Read the function's log."
            case _:
                text = f"{place} did not answer: {error or type(error).__name__}"
        return Unreachable(text)


def make_chat_request(model: str, question: str, **more: Any) -> bytes:
    """Return the JSON body of a chat completion request."""
    # only parameters that every model accepts: newer ones refuse max_tokens and temperature
    return json.dumps({"model": model, "messages": [{"role": "user", "content": question}], **more}).encode()


def shorten(text: str | bytes, length: int = 160) -> str:
    """Return the beginning of a text on one line, at most `length` characters."""
    if isinstance(text, bytes):
        text = text[: 4 * length].decode(errors="replace")
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[:length]}..."
