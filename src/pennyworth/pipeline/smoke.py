"""Smoke tests: try an OpenAI-compatible endpoint over the network as its users would. Standard library only.

`run` goes through a table of named checks and returns a result for each. A failure's message says what to do
next, and no message holds the key.
"""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlsplit

QUESTION = "What is the capital of France?"
EXPECTED = "Paris"

_STREAM_QUESTION = "{} Answer in three sentences."
_APART_SECONDS = 0.005  # what lies less apart may have come in one piece
_PAUSE_SECONDS = 2.0
_UNKNOWN_MODEL = "pennyworth-smoke/no-such-model"
_WRONG_KEY = "sk-pennyworth-smoke-wrong"
_NEXT = {
    401: "The key must be one of the deployment's API keys: give it in PENNYWORTH_API_KEY or by --key.",
    403: "API Gateway knows no such domain or path: the base URL ends in /v1, and a new domain takes minutes.",
    404: "Look at the base URL: it ends in /v1.",
    429: "Too many calls at once, or the provider's quota is used up.",
    500: "Look into the function's log.",
    502: "The function or the provider failed: look into the function's log.",
    503: "The function could not start: look into its log.",
    504: "The function or the provider was too slow: look into the function's log.",
}

Status = Literal["passed", "failed", "skipped"]
MARKS: dict[Status, str] = {"passed": "✓", "failed": "✗", "skipped": "-"}


class Failure(Exception):
    """A check failed; the message says how, and what to do next."""


class Unreachable(Failure):
    """No answer at all: further checks would only repeat it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found."""

    check: str
    model: str | None
    """The model that was asked; None where the check asks none."""
    status: Status
    seconds: float
    detail: str
    """What was seen; of a failure, what to do next."""


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
            raise Failure(f"JSON was expected, not {_shortened(self.body)!r}") from None


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
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host = parts.hostname
        self._port = parts.port or (443 if self._tls else 80)
        self._path = parts.path.rstrip("/")
        self._connect = connect or (self._host, self._port)

    @cached_property
    def models(self) -> list[str]:
        """The models that it lists."""
        listing = self._expect(200, "GET", "/models").json()
        data = listing.get("data") if isinstance(listing, dict) else None
        names = [entry["id"] for entry in data or () if isinstance(entry, dict) and "id" in entry]
        if not names:
            raise Failure("it lists no models. Look at the configuration's model_list.")
        return names

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
        return self._expect(200, "POST", "/chat/completions", _chat(model, question)).json()

    def stream(self, model: str, question: str) -> Iterator[tuple[float, str]]:
        """The chat completion for a question, streamed.

        Yields:
            each event's data, and when it arrived on time.monotonic()'s clock.
        """
        body = _chat(model, question, stream=True)
        with closing(self._open("POST", "/chat/completions", body, {}, self.key)) as connection:
            try:
                answer = connection.getresponse()
                if answer.status != 200:
                    content = answer.read()
                    raise Failure(_explained(Response(answer.status, {}, content)))
                kind = answer.getheader("Content-Type", "")
                if not kind.startswith("text/event-stream"):
                    raise Failure(f"the stream's Content-Type is {kind!r}, not text/event-stream")
                pending = b""
                while piece := answer.read1(65536):
                    arrived = time.monotonic()
                    *lines, pending = (pending + piece).split(b"\n")
                    for line in lines:
                        if line.startswith(b"data:"):
                            yield arrived, line.removeprefix(b"data:").strip().decode(errors="replace")
            except (OSError, http.client.HTTPException) as error:
                raise Failure(f"the stream broke: {error or type(error).__name__}") from error

    def _expect(self, status: int, method: str, path: str, body: bytes | None = None) -> Response:
        answer = self.call(method, path, body=body, key=self.key)
        if answer.status != status:
            raise Failure(_explained(answer))
        return answer

    def _open(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], key: str | None
    ) -> http.client.HTTPConnection:
        """A connection of its own, on which the request has been sent."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self.timeout)
        try:
            connection.sock = socket.create_connection(self._connect, self.timeout)
            if self._tls:
                connection.sock = self._tls.wrap_socket(connection.sock, server_hostname=self._host)
                connection.default_port = 443  # leaves the usual port out of the Host header
            sent = dict(headers)
            if body is not None:
                sent.setdefault("Content-Type", "application/json")
            if key:
                sent["Authorization"] = f"Bearer {key}"
            connection.request(method, self._path + path, body, sent)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error
        return connection

    def _unreachable(self, error: Exception) -> Unreachable:
        place = f"{self._connect[0]}:{self._connect[1]}"
        match error:
            case socket.gaierror():
                text = (
                    f"{self._connect[0]} does not resolve. A new DNS record can take minutes: --wait 300."
                    " Without DNS: --connect HOST:PORT."
                )
            case ssl.SSLCertVerificationError():
                text = (
                    f"the certificate of {place} is not valid for {self._host}: {error.verify_message}."
                    " It must be issued for this name before the domain works."
                )
            case ConnectionRefusedError():
                text = f"nothing listens at {place}. Look at the URL's host and port."
            case TimeoutError():
                text = f"{place} did not answer within {self.timeout:g} s. Look into the function's log."
            case _:
                text = f"{place} did not answer: {error or type(error).__name__}"
        return Unreachable(text)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a check is run on."""

    endpoint: Endpoint
    origin: str
    """The origin whose pages call the API, for CORS."""
    question: str
    expected: str
    """What must stand in the answer, in any case of letters."""
    model: str = ""
    """The model to ask, for the checks that ask one."""


@dataclass(frozen=True, slots=True)
class Check:
    """A named check: returns what it saw, or raises Failure."""

    name: str
    title: str
    """What holds when it passes."""
    run: Callable[[Trial], str]
    each_model: bool = False


def _health(trial: Trial) -> str:
    answer = trial.endpoint.call("GET", "/health")
    if answer.status != 200:
        raise Failure(_explained(answer))
    return ""


def _no_key(trial: Trial) -> str:
    return _error(trial.endpoint.call("GET", "/models"), {401})


def _wrong_key(trial: Trial) -> str:
    return _error(trial.endpoint.call("GET", "/models", key=_WRONG_KEY), {401})


def _models(trial: Trial) -> str:
    names = trial.endpoint.models
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _unknown_model(trial: Trial) -> str:
    # a wildcard hands the name on, and not every provider says 404
    body = _chat(_UNKNOWN_MODEL, "Hello")
    return _error(
        trial.endpoint.call("POST", "/chat/completions", body=body, key=trial.endpoint.key), {400, 404}
    )


def _malformed(trial: Trial) -> str:
    answer = trial.endpoint.call("POST", "/chat/completions", body=b'{"model": ', key=trial.endpoint.key)
    return _error(answer, {400})


def _cors(trial: Trial) -> str:
    asked = {
        "Origin": trial.origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = trial.endpoint.call("OPTIONS", "/chat/completions", headers=asked)
    if answer.status not in (200, 204):
        raise Failure(_explained(answer))
    allowed = answer.headers.get("access-control-allow-origin")
    if allowed not in ("*", trial.origin):
        raise Failure(
            f"pages of {trial.origin} may not call it (allowed: {allowed or 'none'}). Give an origin that you"
            " configured by --origin, or add this one to CORS_ALLOW_ORIGINS."
        )
    # by name, as `*` does not cover Authorization: https://fetch.spec.whatwg.org/#http-access-control-allow-headers
    for header, needed in (("methods", "post"), ("headers", "authorization"), ("headers", "content-type")):
        listed = answer.headers.get(f"access-control-allow-{header}", "").lower().replace(" ", "").split(",")
        if needed not in listed:
            raise Failure(f"the preflight's Access-Control-Allow-{header.title()} lacks {needed}")
    return f"for {allowed}"


def _chat_check(trial: Trial) -> str:
    completion = trial.endpoint.ask(trial.model, trial.question)
    try:
        text = completion["choices"][0]["message"]["content"] or ""
    except (LookupError, TypeError):
        raise Failure(f"this is no chat completion: {_shortened(json.dumps(completion))}") from None
    return _judged(text, trial.expected)


def _stream_check(trial: Trial) -> str:
    began = time.monotonic()
    text, done = "", False
    arrivals: list[float] = []
    # to the body's end, as SDKs read it
    for arrived, data in trial.endpoint.stream(trial.model, _STREAM_QUESTION.format(trial.question)):
        arrivals.append(arrived)
        if done:
            raise Failure(f"the stream goes on after [DONE]: {_shortened(data)!r}")
        if data == "[DONE]":
            done = True
            continue
        try:
            event = json.loads(data)
        except ValueError:
            raise Failure(f"an event of the stream is no JSON: {_shortened(data)!r}") from None
        if event.get("error"):
            raise Failure(f"the stream ended in an error: {_shortened(json.dumps(event['error']))}")
        for choice in event.get("choices") or ():
            text += (choice.get("delta") or {}).get("content") or ""
    if not done:
        raise Failure(f"the stream ended after {len(arrivals)} events without [DONE]: it was cut on the way")
    _judged(text, trial.expected)
    if arrivals[-1] - arrivals[0] < _APART_SECONDS:
        raise Failure(
            f"all {len(arrivals)} events came at once, after {arrivals[0] - began:.2f} s: something on the way"
            " collects the stream. The API's integrations need responseTransferMode STREAM, the function"
            " AWS_LWA_INVOKE_MODE=response_stream."
        )
    return (
        f"{len(arrivals)} events, first after {(arrivals[0] - began) * 1000:.0f} ms,"
        f" last after {(arrivals[-1] - began) * 1000:.0f} ms"
    )


CHECKS = (
    Check("health", "it is up", _health),
    Check("no-key", "a call without a key is refused", _no_key),
    Check("wrong-key", "a call with a wrong key is refused", _wrong_key),
    Check("models", "the key is accepted, and models are listed", _models),
    Check("unknown-model", "an unknown model gives OpenAI's error", _unknown_model),
    Check("malformed", "malformed JSON gives OpenAI's error", _malformed),
    Check("cors", "web pages may call it", _cors),
    Check("chat", "it answers", _chat_check, each_model=True),
    Check("stream", "it answers bit by bit", _stream_check, each_model=True),
)


def run(
    endpoint: Endpoint,
    *,
    models: Sequence[str] = (),
    limit: int = 5,
    skip: Collection[str] = (),
    question: str = QUESTION,
    expected: str = EXPECTED,
    origin: str = "https://example.com",
    wait: float = 0.0,
    report: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Run every check.

    Args:
        endpoint: what to try.
        models: the models to ask; by default those that it lists, without wildcards.
        limit: how many of the listed ones at most.
        skip: names of checks to leave out.
        question: what the models are asked.
        expected: what must stand in their answers, in any case of letters.
        origin: the origin whose pages call the API, for CORS.
        wait: seconds to go on trying until it answers at all, for a domain that is new.
        report: is told each result at once.
    Returns:
        the results, in the order of CHECKS.
    """
    trial = Trial(endpoint, origin, question, expected)
    results: list[Result] = []
    reachable = True
    until = time.monotonic() + wait
    for check in CHECKS:
        if check.name in skip or not reachable:
            found = [Result(check.name, None, "skipped", 0.0, "as asked" if reachable else "not reachable")]
        elif check.each_model:
            asked = models or _listed(endpoint, limit)
            found = [_tried(check, replace(trial, model=model))[0] for model in asked]
        else:
            result, reachable = _tried(check, trial)
            while check is CHECKS[0] and result.status == "failed" and time.monotonic() < until:
                time.sleep(_PAUSE_SECONDS)
                result, reachable = _tried(check, trial)
            found = [result]
        for result in found:
            report(result)
        results += found
    return results


def line(result: Result) -> str:
    """A result as a progress line."""
    title = next(check.title for check in CHECKS if check.name == result.check)
    model = f" [{result.model}]" if result.model else ""
    detail = f": {result.detail}" if result.detail else ""
    return f"{MARKS[result.status]} {title}{model}{detail} {result.seconds:.1f} s"


def as_json(results: Sequence[Result]) -> str:
    """The results as a JSON document, for programs."""
    return json.dumps({"ok": passed(results), "results": [asdict(result) for result in results]}, indent=2)


def as_markdown(results: Sequence[Result]) -> str:
    """The results as a table, for a job summary."""
    titles = {check.name: check.title for check in CHECKS}
    rows = ["| | check | model | time | |", "|---|---|---|---:|---|"]
    for result in results:
        detail = result.detail.replace("|", "\\|").replace("\n", " ")
        model = f"`{result.model}`" if result.model else ""
        rows.append(
            f"| {MARKS[result.status]} | {titles[result.check]} | {model} | {result.seconds:.2f} s | {detail} |"
        )
    return "\n".join(rows)


def passed(results: Sequence[Result]) -> bool:
    """Whether nothing failed."""
    return all(result.status != "failed" for result in results)


def _tried(check: Check, trial: Trial) -> tuple[Result, bool]:
    """Run a check: its result, and whether the endpoint answered at all."""
    began = time.monotonic()
    status: Status = "passed"
    reachable = True
    try:
        detail = check.run(trial)
    except Failure as failure:
        status, detail, reachable = "failed", str(failure), not isinstance(failure, Unreachable)
    if trial.endpoint.key:
        detail = detail.replace(trial.endpoint.key, "***")
    return Result(
        check.name, trial.model or None, status, round(time.monotonic() - began, 3), detail
    ), reachable


def _listed(endpoint: Endpoint, limit: int) -> list[str]:
    """The models to ask where none was named. None where they can't be listed: that is a failure already."""
    try:
        return [name for name in endpoint.models if "*" not in name][:limit]
    except Failure:
        return []


def _chat(model: str, question: str, **more: Any) -> bytes:
    # nothing that some model refuses: newer ones take neither max_tokens nor a temperature
    return json.dumps({"model": model, "messages": [{"role": "user", "content": question}], **more}).encode()


def _judged(text: str, expected: str) -> str:
    if not text.strip():
        raise Failure("the answer is empty. Look at the model's name, and at the provider's log.")
    if expected.lower() not in text.lower():
        raise Failure(f"{expected!r} was expected in the answer: {_shortened(text)!r}")
    return repr(_shortened(text))


def _error(answer: Response, statuses: set[int]) -> str:
    """Check an answer for OpenAI's error shape: https://platform.openai.com/docs/guides/error-codes."""
    if answer.status not in statuses:
        wanted = " or ".join(map(str, sorted(statuses)))
        raise Failure(f"HTTP {wanted} was expected. {_explained(answer)}")
    document = answer.json()
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or "type" not in error:
        raise Failure(f"HTTP {answer.status}, but not in OpenAI's shape: {_shortened(answer.body)!r}")
    return f"{answer.status} {error.get('code') or error['type']}"


def _explained(answer: Response) -> str:
    """An answer's status and message, and what to do about it."""
    said = _shortened(answer.body)
    try:
        document = json.loads(answer.body)
        error = document.get("error", document)
        said = str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, LookupError, AttributeError):
        pass
    return f"HTTP {answer.status}{': ' if said else ''}{said.rstrip('.')}. {_NEXT.get(answer.status, '')}".strip()


def _shortened(text: str | bytes, length: int = 160) -> str:
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    text = text.strip()
    return text if len(text) <= length else f"{text[:length]}..."
