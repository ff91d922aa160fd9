"""The table of checks. What the gateway learns later joins as a row."""

import json
import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from pennyworth.checks.smoke.endpoint import (
    Endpoint,
    Failure,
    Response,
    Skipped,
    Unpromised,
    Unreachable,
    chat,
    shortened,
)
from pennyworth.host.lists import split_list

QUESTION = "What is the capital of France?"
EXPECTED = "Paris"
LARGE_BYTES = 6_500_000
"""Just over the 6 MiB that Lambda takes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""

_STREAM_QUESTION = "{} Answer in three sentences."
_LONG_QUESTION = (
    "Write a story of ten thousand words, in at least thirty chapters. Do not stop before its end."
)
_APART_SECONDS = 0.005  # what lies less apart may have come in one piece
_UNKNOWN_MODEL = "pennyworth-smoke/no-such-model"
_WRONG_KEY = "sk-pennyworth-smoke-wrong"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a check is run on."""

    endpoint: Endpoint
    origin: str
    """The origin whose pages call the API, for CORS."""
    question: str
    expected: str
    """What must stand in the answer, in any case of letters."""
    large_bytes: int = LARGE_BYTES
    """The size of a body that may be too large."""
    long_seconds: float = 0.0
    """How long a request must stay open."""
    model: str = ""
    """The model to ask, for the checks that ask one."""


@dataclass(frozen=True, slots=True)
class Check:
    """A named check: returns what it saw, or raises Failure or Skipped."""

    name: str
    title: str
    """What holds when it passes."""
    run: Callable[[Trial], str]
    asks: Literal["none", "first", "each"] = "none"
    """Which of the models it asks."""


def _health(trial: Trial) -> str:
    answer = trial.endpoint.call("GET", "/health")
    if answer.status in (404, 405):
        raise Unpromised(f"it has no /health (HTTP {answer.status})")
    if answer.status != 200:
        raise Failure(answer.explained())
    return ""


def _no_key(trial: Trial) -> str:
    return _refusal(trial, None, "calls without a key are taken")


def _wrong_key(trial: Trial) -> str:
    return _refusal(trial, _WRONG_KEY, "calls with any key are taken")


def _refusal(trial: Trial, key: str | None, otherwise: str) -> str:
    answer = trial.endpoint.call("GET", "/models", key=key)
    if answer.status == 200 and trial.endpoint.key:
        raise Failure(f"{otherwise}: anybody may use it at your expense. Look at its API keys.")
    if answer.status == 200:
        raise Unpromised(f"{otherwise}, and this one was given no key, either")
    return _error(answer, {401})


def _models(trial: Trial) -> str:
    names = trial.endpoint.models
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _unknown_model(trial: Trial) -> str:
    answer = trial.endpoint.call(
        "POST", "/chat/completions", body=chat(_UNKNOWN_MODEL, "Hello"), key=trial.endpoint.key
    )
    if answer.status == 200:
        raise Unpromised("it answers whatever model is named")
    # a wildcard hands the name on, and not every provider says 404
    return _error(answer, {400, 404})


def _malformed(trial: Trial) -> str:
    answer = trial.endpoint.call("POST", "/chat/completions", body=b'{"model": ', key=trial.endpoint.key)
    return _error(answer, {400})


def _large(trial: Trial) -> str:
    # breaks off, so that nobody acts on it wherever it is taken: it costs no token
    body = b'{"model": '.ljust(trial.large_bytes)
    size = f"{len(body) / 1e6:.1f} MB"
    try:
        answer = trial.endpoint.call("POST", "/chat/completions", body=body, key=trial.endpoint.key)
    except Unreachable as error:
        raise Failure(
            f"a body of {size} gets no answer but a broken connection, which clients can't explain: {error}"
        ) from error
    if answer.status >= 500:
        raise Failure(f"a body of {size} is no client's error there. {answer.explained()}")
    seen = _error(answer, {400, 413, 422})
    return f"{size} refused: {seen}" if answer.status == 413 else f"{size} are taken"


def _cors(trial: Trial) -> str:
    asked = {
        "Origin": trial.origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = trial.endpoint.call("OPTIONS", "/chat/completions", headers=asked)
    if answer.status not in (200, 204):
        raise Unpromised(answer.explained())
    allowed = answer.headers.get("access-control-allow-origin")
    if allowed not in ("*", trial.origin):
        raise Unpromised(
            f"pages of {trial.origin} may not call it (allowed: {allowed or 'none'}). Give an origin that you"
            " configured by --origin, or add this one to CORS_ALLOW_ORIGINS."
        )
    # by name, as `*` does not cover Authorization: https://fetch.spec.whatwg.org/#http-access-control-allow-headers
    for header, needed in (("methods", "post"), ("headers", "authorization"), ("headers", "content-type")):
        listed = split_list(answer.headers.get(f"access-control-allow-{header}", "").lower())
        if needed not in listed:
            raise Unpromised(f"the preflight's Access-Control-Allow-{header.title()} lacks {needed}")
    return f"for {allowed}"


def _chat(trial: Trial) -> str:
    completion = trial.endpoint.ask(trial.model, trial.question)
    try:
        text = completion["choices"][0]["message"]["content"] or ""
    except (LookupError, TypeError):
        raise Failure(f"this is no chat completion: {shortened(json.dumps(completion))}") from None
    return _judged(text, trial.expected)


def _stream(trial: Trial) -> str:
    began = time.monotonic()
    text, done = "", False
    arrivals: list[float] = []
    # to the body's end, as SDKs read it
    for arrived, line in trial.endpoint.stream(trial.model, _STREAM_QUESTION.format(trial.question)):
        if (data := _data(line)) is None:
            continue
        arrivals.append(arrived)
        if done:
            raise Failure(f"the stream goes on after [DONE]: {shortened(data)!r}")
        if data == "[DONE]":
            done = True
        else:
            text += _delta(data)
    if not done:
        raise Failure(f"the stream ended after {len(arrivals)} events without [DONE]: it was cut on the way")
    _judged(text, trial.expected)
    if arrivals[-1] - arrivals[0] < _APART_SECONDS:
        raise Failure(
            f"all {len(arrivals)} events came at once, after {arrivals[0] - began:.2f} s: something on the way"
            " collects the stream. In a REST API, look at responseTransferMode STREAM; in a proxy, at its buffering."
        )
    first, last = (1000 * (arrivals[i] - began) for i in (0, -1))
    return f"{len(arrivals)} events, first after {first:.0f} ms, last after {last:.0f} ms"


def _long(trial: Trial) -> str:
    wanted = trial.long_seconds
    began = last = time.monotonic()
    silence, comments, done = 0.0, 0, False
    # a silent model may be what is being tried
    stream = trial.endpoint.stream(trial.model, _LONG_QUESTION, timeout=max(trial.endpoint.timeout, wanted))
    with closing(stream):
        try:
            for arrived, line in stream:
                silence, last = max(silence, arrived - last), arrived
                comments += line.startswith(":")
                data = _data(line)
                done = done or data == "[DONE]"
                if data and not done:
                    _delta(data)
                if arrived - began >= wanted:
                    break
        except Failure as failure:
            raise Failure(
                f"cut after {time.monotonic() - began:.1f} s of {wanted:g} s: {failure}"
            ) from failure
    seen = f"longest silence {silence:.1f} s, {comments} keep-alive comments"
    if last - began >= wanted:
        return f"open for {last - began:.1f} s, {seen}"
    if not done:
        raise Failure(f"cut after {last - began:.1f} s of {wanted:g} s, without [DONE] ({seen})")
    raise Skipped(
        f"the answer was complete after {last - began:.1f} s ({seen}): of {wanted:g} s nothing is known. Ask a"
        " model that writes more, by --model"
    )


CHECKS = (
    Check("health", "it is up", _health),
    Check("no-key", "a call without a key is refused", _no_key),
    Check("wrong-key", "a call with a wrong key is refused", _wrong_key),
    Check("models", "its models are listed", _models),
    Check("unknown-model", "an unknown model gives OpenAI's error", _unknown_model),
    Check("malformed", "malformed JSON gives OpenAI's error", _malformed),
    Check("large", "a large body is refused kindly, or taken", _large),
    Check("cors", "web pages may call it", _cors),
    Check("chat", "it answers", _chat, asks="each"),
    Check("stream", "it answers bit by bit", _stream, asks="each"),
    Check("long", "it keeps a long request open", _long, asks="first"),
)


def named(check: str, model: str | None) -> str:
    """A check's title, with the model that it asks."""
    title = next(found.title for found in CHECKS if found.name == check)
    return f"{title} [{model}]" if model else title


def unknown(names: Collection[str]) -> list[str]:
    """Those names that no check has."""
    return sorted(set(names) - {check.name for check in CHECKS})


def _data(line: str) -> str | None:
    """The data of a line of an event stream; None where it has none, as a comment."""
    return line.removeprefix("data:").strip() if line.startswith("data:") else None


def _delta(data: str) -> str:
    """The text that an event adds."""
    try:
        event = json.loads(data)
    except ValueError:
        raise Failure(f"an event of the stream is no JSON: {shortened(data)!r}") from None
    if event.get("error"):
        raise Failure(f"the stream ended in an error: {shortened(json.dumps(event['error']))}")
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in event.get("choices") or ())


def _judged(text: str, expected: str) -> str:
    if not text.strip():
        raise Failure("the answer is empty. Look at the model's name, and at the provider's log.")
    if expected.lower() not in text.lower():
        raise Failure(f"{expected!r} was expected in the answer: {shortened(text)!r}")
    return repr(shortened(text))


def _error(answer: Response, statuses: Collection[int]) -> str:
    """Check an answer for OpenAI's error shape: https://platform.openai.com/docs/guides/error-codes."""
    if answer.status not in statuses:
        wanted = " or ".join(map(str, sorted(statuses)))
        raise Unpromised(f"HTTP {wanted} was expected. {answer.explained()}")
    try:
        error = json.loads(answer.body)["error"]
        if isinstance(error["message"], str):
            return f"{answer.status} {error.get('code') or error['type']}"
    except (ValueError, LookupError, TypeError):
        pass
    raise Unpromised(f"HTTP {answer.status}, but not in OpenAI's shape: {shortened(answer.body)!r}")
