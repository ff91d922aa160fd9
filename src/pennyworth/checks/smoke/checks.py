"""The table of smoke tests. Add a row for each new feature of the gateway."""

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
    make_chat_request,
    shorten,
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
_APART_SECONDS = 0.005  # events closer together may have arrived in one piece
_UNKNOWN_MODEL = "pennyworth-smoke/no-such-model"
_WRONG_KEY = "sk-pennyworth-smoke-wrong"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a check runs against."""

    endpoint: Endpoint
    origin: str
    """The origin of web pages that call the API, for CORS."""
    question: str
    expected: str
    """Text that the answer must contain, ignoring case."""
    large_bytes: int = LARGE_BYTES
    """The size of the large request body, in bytes."""
    long_seconds: float = 0.0
    """How many seconds a long request must stay open."""
    model: str = ""
    """The model to ask, for the checks that ask one."""


@dataclass(frozen=True, slots=True)
class Check:
    """A named check. `run` returns what it found, or raises Failure or Skipped."""

    name: str
    title: str
    """What is true if the check passes."""
    run: Callable[[Trial], str]
    asks: Literal["none", "first", "each"] = "none"
    """Which models the check asks."""
    keyed: bool = True
    """Whether the check's calls send the API key."""


def _check_health(trial: Trial) -> str:
    answer = trial.endpoint.call("GET", "/health")
    if answer.status in (404, 405):
        raise Unpromised(f"it has no /health (HTTP {answer.status})")
    if answer.status != 200:
        raise Failure(answer.explain())
    return ""


def _check_no_key(trial: Trial) -> str:
    return _expect_refusal(trial, None, "it accepts calls without a key")


def _check_wrong_key(trial: Trial) -> str:
    return _expect_refusal(trial, _WRONG_KEY, "it accepts calls with a wrong key")


def _expect_refusal(trial: Trial, key: str | None, otherwise: str) -> str:
    answer = trial.endpoint.call("GET", "/models", key=key)
    if answer.status == 200 and trial.endpoint.key:
        raise Failure(f"{otherwise}, so anyone can use it at your expense. Check its API keys.")
    if answer.status == 200:
        raise Unpromised(f"{otherwise}; no API key was given for this test either")
    return _expect_error(trial.endpoint, answer, {401})


def _check_models(trial: Trial) -> str:
    names = trial.endpoint.models
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _check_unknown_model(trial: Trial) -> str:
    answer = trial.endpoint.call(
        "POST", "/chat/completions", body=make_chat_request(_UNKNOWN_MODEL, "Hello"), key=trial.endpoint.key
    )
    if answer.status == 200:
        raise Unpromised("it answers for a model that does not exist")
    # a wildcard passes the name on, and not every provider answers 404
    return _expect_error(trial.endpoint, answer, {400, 404})


def _check_malformed(trial: Trial) -> str:
    answer = trial.endpoint.call("POST", "/chat/completions", body=b'{"model": ', key=trial.endpoint.key)
    return _expect_error(trial.endpoint, answer, {400})


def _check_large_body(trial: Trial) -> str:
    # incomplete JSON, so that no model is called where it is accepted
    body = b'{"model": '.ljust(trial.large_bytes)
    size = f"{len(body) / 1e6:.1f} MB"
    try:
        answer = trial.endpoint.call("POST", "/chat/completions", body=body, key=trial.endpoint.key)
    except Unreachable as error:
        raise Failure(
            f"a body of {size} breaks the connection instead of getting an error: {error}"
        ) from error
    if answer.status >= 500:
        raise Failure(f"a body of {size} gets a server error. {answer.explain()}")
    seen = _expect_error(trial.endpoint, answer, {400, 413, 422})
    return f"{size} refused: {seen}" if answer.status == 413 else f"{size} accepted"


def _check_cors(trial: Trial) -> str:
    asked = {
        "Origin": trial.origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = trial.endpoint.call("OPTIONS", "/chat/completions", headers=asked)
    if answer.status not in (200, 204):
        raise Unpromised(answer.explain())
    allowed = answer.headers.get("access-control-allow-origin")
    if allowed not in ("*", trial.origin):
        raise Unpromised(
            f"web pages of {trial.origin} may not call it (allowed: {allowed or 'none'}). Use --origin with an allowed"
            " origin, or add this one to CORS_ALLOW_ORIGINS."
        )
    # explicitly, because `*` does not include Authorization: https://fetch.spec.whatwg.org/#http-access-control-allow-headers
    for header, needed in (("methods", "post"), ("headers", "authorization"), ("headers", "content-type")):
        listed = split_list(answer.headers.get(f"access-control-allow-{header}", "").lower())
        if needed not in listed:
            raise Unpromised(f"the preflight's Access-Control-Allow-{header.title()} lacks {needed}")
    return f"for {allowed}"


def _check_chat(trial: Trial) -> str:
    completion = trial.endpoint.ask(trial.model, trial.question)
    try:
        text = completion["choices"][0]["message"]["content"] or ""
    except (LookupError, TypeError):
        raise Failure(f"the answer is not a chat completion: {shorten(json.dumps(completion))}") from None
    return _check_text(text, trial.expected)


def _check_stream(trial: Trial) -> str:
    began = time.monotonic()
    text, done = "", False
    arrivals: list[float] = []
    # read to the end, as SDKs do
    for arrived, line in trial.endpoint.stream(trial.model, _STREAM_QUESTION.format(trial.question)):
        if (data := _parse_data(line)) is None:
            continue
        arrivals.append(arrived)
        if done:
            raise Failure(f"the stream continues after [DONE]: {shorten(data)!r}")
        if data == "[DONE]":
            done = True
        else:
            text += _parse_delta(data)
    if not done:
        raise Failure(f"the stream ended after {len(arrivals)} events without [DONE], so it was cut off")
    _check_text(text, trial.expected)
    if arrivals[-1] - arrivals[0] < _APART_SECONDS:
        raise Failure(
            f"all {len(arrivals)} events arrived at once, after {arrivals[0] - began:.2f} s, so something buffers the"
            " stream. In a REST API, check responseTransferMode: STREAM; in a proxy, turn off buffering."
        )
    first, last = (1000 * (arrivals[i] - began) for i in (0, -1))
    return f"{len(arrivals)} events, first after {first:.0f} ms, last after {last:.0f} ms"


def _check_long_request(trial: Trial) -> str:
    wanted = trial.long_seconds
    began = last = time.monotonic()
    silence, comments, done = 0.0, 0, False
    # the model may be silent for as long as the test lasts
    stream = trial.endpoint.stream(trial.model, _LONG_QUESTION, timeout=max(trial.endpoint.timeout, wanted))
    with closing(stream):
        try:
            for arrived, line in stream:
                silence, last = max(silence, arrived - last), arrived
                comments += line.startswith(":")
                data = _parse_data(line)
                done = done or data == "[DONE]"
                if data and not done:
                    _parse_delta(data)
                if arrived - began >= wanted:
                    break
        except Failure as failure:
            raise Failure(
                f"cut off after {time.monotonic() - began:.1f} s of {wanted:g} s: {failure}"
            ) from failure
    seen = f"longest silence {silence:.1f} s, {comments} keep-alive comments"
    if last - began >= wanted:
        return f"open for {last - began:.1f} s, {seen}"
    if not done:
        raise Failure(f"cut off after {last - began:.1f} s of {wanted:g} s, without [DONE] ({seen})")
    raise Skipped(
        f"the answer was complete after {last - began:.1f} s, before {wanted:g} s ({seen}). With --model, ask one that"
        " writes longer answers"
    )


CHECKS = (
    Check("health", "it is up", _check_health, keyed=False),
    Check("no-key", "a call without a key is refused", _check_no_key, keyed=False),
    Check("wrong-key", "a call with a wrong key is refused", _check_wrong_key, keyed=False),
    Check("models", "its models are listed", _check_models),
    Check("unknown-model", "an unknown model gets OpenAI's error", _check_unknown_model),
    Check("malformed", "malformed JSON gets OpenAI's error", _check_malformed),
    Check("large", "a large body is accepted or gets an error", _check_large_body),
    Check("cors", "web pages may call it", _check_cors, keyed=False),
    Check("chat", "it answers", _check_chat, asks="each"),
    Check("stream", "it streams its answer", _check_stream, asks="each"),
    Check("long", "it keeps a long request open", _check_long_request, asks="first"),
)


def get_title(check: str, model: str | None) -> str:
    """Return a check's title, with the model it asks."""
    title = next(found.title for found in CHECKS if found.name == check)
    return f"{title} [{model}]" if model else title


def find_unknown(names: Collection[str]) -> list[str]:
    """Return the names that no check has."""
    return sorted(set(names) - {check.name for check in CHECKS})


def _parse_data(line: str) -> str | None:
    """Return the data of a line of an event stream; None if it has none, such as a comment."""
    return line.removeprefix("data:").strip() if line.startswith("data:") else None


def _parse_delta(data: str) -> str:
    """Return the text that an event adds."""
    try:
        event = json.loads(data)
    except ValueError:
        raise Failure(f"an event of the stream is not JSON: {shorten(data)!r}") from None
    if event.get("error"):
        raise Failure(f"the stream ended with an error: {shorten(json.dumps(event['error']))}")
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in event.get("choices") or ())


def _check_text(text: str, expected: str) -> str:
    if not text.strip():
        raise Failure("the answer is empty. Check the model's name, and the provider's log.")
    if expected.lower() not in text.lower():
        raise Failure(f"the answer does not contain {expected!r}: {shorten(text)!r}")
    return repr(shorten(text))


def _expect_error(endpoint: Endpoint, answer: Response, statuses: Collection[int]) -> str:
    """Check that an answer is an error in OpenAI's format: https://platform.openai.com/docs/guides/error-codes."""
    if answer.status not in statuses:
        if answer.status == 401 and not endpoint.key:
            raise answer.fail()
        wanted = " or ".join(map(str, sorted(statuses)))
        raise Unpromised(f"expected HTTP {wanted}. {answer.explain()}")
    try:
        error = json.loads(answer.body)["error"]
        if isinstance(error["message"], str):
            return f"{answer.status} {error.get('code') or error['type']}"
    except (ValueError, LookupError, TypeError):
        pass
    raise Unpromised(f"HTTP {answer.status}, but not in OpenAI's error format: {shorten(answer.body)!r}")
