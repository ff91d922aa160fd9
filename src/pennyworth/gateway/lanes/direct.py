"""The direct lane: the upstream speaks what the client speaks, so the request goes out as it came in.

Only the model's name and the credentials are replaced, and the name again in the answer, whose other bytes are passed
on untouched.
"""

import json
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Set
from functools import cache
from typing import Any

from pennyworth.gateway.call import Attempt, Call
from pennyworth.gateway.config import Deployment
from pennyworth.gateway.dialects import Dialect, dialect
from pennyworth.gateway.endpoints import PRESETS
from pennyworth.gateway.errors import ApiError, UpstreamFailure
from pennyworth.gateway.events import EventReader, close_event, drop_unused_lines
from pennyworth.gateway.forwarding import add_forwarded
from pennyworth.gateway.http import client
from pennyworth.gateway.http.errors import HttpError, TooLarge, Unreachable, Unsendable
from pennyworth.gateway.lanes.controls import without_controls
from pennyworth.gateway.lanes.edits import amend, edit_request
from pennyworth.gateway.lanes.failures import (
    broken,
    find_error,
    is_plain,
    redirected,
    timed_out,
    told_error,
    unreachable,
    unsendable,
    unusable,
    upstream_error,
)
from pennyworth.gateway.lanes.limits import LARGEST_ANSWER_BYTES, LARGEST_ERROR_BYTES, LARGEST_EVENT_BYTES
from pennyworth.gateway.provider import Choices, Edit
from pennyworth.gateway.settings import Settings
from pennyworth.gateway.upstreams import Upstream
from pennyworth.gateway.wsgi import Headers, Response

# What a response header of the upstream's is kept from the client for.
_WITHHELD = frozenset(
    [
        # belongs to the one connection (RFC 9110, 7.6.1)
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
        # is said anew of what goes out
        "content-length",
        # speaks of the upstream's site, not of the gateway's
        "alt-svc",
        "date",
        "nel",
        "report-to",
        "server",
        "set-cookie",
        "strict-transport-security",
        "via",
        # tells whose account it is
        "openai-organization",
        "openai-project",
    ]
)

SETTINGS = frozenset(
    [
        "additional_drop_params",
        "allowed_openai_params",
        "api_base",
        "api_key",
        "api_version",
        "aws_access_key_id",
        "aws_bedrock_runtime_endpoint",
        "aws_region_name",
        "aws_secret_access_key",
        "aws_session_token",
        "base_url",
        "cooldown_time",
        "custom_llm_provider",
        "drop_params",
        "extra_body",
        "extra_headers",
        "litellm_credential_name",
        "max_retries",
        "model",
        "num_retries",
        "order",
        "organization",
        "request_timeout",
        "rpm",
        "stream_timeout",
        "timeout",
        "tpm",
        "weight",
    ]
)
"""What of litellm_params says how an upstream is asked. The rest is for the upstream."""

_UNCHANGED = Edit()

_DOCUMENTS = ("application/json", "text/html")
"""Types of what is no stream. Some servers send streams without a type, or as plain text."""

_LAST_CHUNKS = 8
"""How many of a stream's last ones are looked at to see whether it is whole."""

_LARGEST_LIST_BYTES = 16 * 1024 * 1024
"""Of the models that an upstream lists."""


def prepare(settings: Settings) -> None:
    """Load the certificate authorities where https is spoken. See `Lane.prepare`."""
    if any(upstream.base_url.startswith("https:") for upstream in settings.upstreams()):
        client.tls()


def send(call: Call, attempt: Attempt) -> Response:
    """Forward a call. See `Lane.send`.

    What the upstream refuses for the sake of one field is tried once more without it, where that is allowed.
    """
    fields = _fields(call, attempt.upstream, attempt.deployment)
    try:
        return _send(call, attempt, _body(call, fields))
    except UpstreamFailure as failure:
        amended = amend(fields, failure, _choices(call, attempt.upstream))
        if amended is None:
            raise
    return _send(call, attempt, _encode(amended))


def _send(call: Call, attempt: Attempt, body: bytes) -> Response:
    upstream = attempt.upstream
    sent = False

    def sending() -> None:
        nonlocal sent
        sent = True
        attempt.deadline.touch()

    def check() -> None:
        call.request.check_wanted()
        if attempt.deadline.has_passed():
            raise timed_out(upstream, attempt.deadline.describe(), sent=sent)

    native = call.endpoint.native
    own = add_forwarded(upstream.other_headers.get(native) or upstream.headers, attempt.forwarded)
    own = add_forwarded(own, dict(_client_headers(call)))
    headers = {**own, "Content-Type": call.body.content_type or "application/json"}
    url = upstream.locate(call.endpoint.upstream_path, attempt.deployment.model, native)
    signed = upstream.sign("POST", url, headers, body)
    attempt.deadline.touch()
    try:
        exchange = client.post(url, body, signed, check, connect=attempt.connect_seconds, sending=sending)
    except Unreachable as error:
        raise unreachable(upstream, str(error), sent=error.sent) from error
    except Unsendable as error:
        raise unsendable(upstream, str(error)) from error
    except (HttpError, OSError) as error:
        raise unreachable(upstream, f"its answer is not HTTP: {error}", sent=True) from error
    try:
        return _response(exchange, call, attempt)
    except TooLarge as error:
        exchange.close()
        raise unusable(upstream, str(error)) from error
    except (HttpError, OSError) as error:
        exchange.close()
        raise broken(upstream) from error
    except BaseException:
        exchange.close()
        raise


def _client_headers(call: Call) -> Iterator[tuple[str, str]]:
    """The client's headers that belong to the protocol."""
    for name, default in call.endpoint.client_headers.items():
        value = call.request.header(name) or default
        if value and is_plain(value):
            yield name, value


def models(upstream: Upstream) -> list[str]:
    """The ids that the upstream's own `GET /models` lists; empty where it can't be asked. See `Lane.models`."""
    give_up = time.monotonic() + 5

    def check() -> None:
        if time.monotonic() > give_up:
            raise TimeoutError

    try:
        upstream.require()
        url = upstream.locate("/models", "")
        exchange = client.get(url, upstream.sign("GET", url, upstream.headers, b""), check)
        try:
            document = json.loads(exchange.read(_LARGEST_LIST_BYTES)) if exchange.status == 200 else {}
        finally:
            exchange.close()
        return [str(model["id"]) for model in document.get("data", [])]
    except (ApiError, HttpError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def _response(exchange: client.Exchange, call: Call, attempt: Attempt) -> Response:
    upstream = attempt.upstream
    status = exchange.status
    # RFC 9110, 7.6.1: what Connection names is the connection's own, too
    own = {token.strip().lower() for token in (exchange.header("connection") or "").split(",")}
    headers = [
        (name, upstream.scrubbed(value))
        for name, value in exchange.headers
        if not _withheld(name, own) and is_plain(value)
    ]
    if 300 <= status < 400:
        raise redirected(upstream, status, exchange.header("location") or "")
    if status >= 400:
        raise upstream_error(upstream, status, headers, exchange.read_beginning(LARGEST_ERROR_BYTES))
    if status != 200:
        raise unusable(upstream, f"its status is {status}")
    spoken = dialect(call.endpoint.dialect)
    kind = (exchange.header("content-type") or "").partition(";")[0].strip().lower()
    if call.stream and kind not in _DOCUMENTS:
        return Response(status, headers, _begun(_stream(exchange, call, attempt, spoken)))
    # read to its end first: a break half-way is then an error of its own and not half an answer
    content = exchange.read(LARGEST_ANSWER_BYTES)
    exchange.close()
    document = _check_answer(content, headers, call, upstream)
    if call.stream:  # the upstream knows no streams
        headers = [item for item in headers if item[0].lower() != "content-type"]
        headers.append(("Content-Type", "text/event-stream; charset=utf-8"))
        return Response(
            status, headers, iter([spoken.events({**document, "model": call.model}, call.body.fields)])
        )
    if document.get("model") not in (None, call.model):
        content = spoken.renamer(call.model)(content)
    return Response(status, headers, content)


def _check_answer(content: bytes, headers: Headers, call: Call, upstream: Upstream) -> dict[str, Any]:
    """What a whole answer holds.

    Raises:
        UpstreamFailure: it is an error, although its status said otherwise, or nothing of the API's.
    """
    try:
        document: dict[str, Any] = json.loads(content)
    except (ValueError, RecursionError):
        raise unusable(upstream, "it is no JSON") from None
    if not document or not isinstance(document, dict | list):
        raise unusable(upstream, "it is no JSON object")
    if error := find_error(document):
        raise upstream_error(upstream, error, headers, content[:LARGEST_ERROR_BYTES])
    if not isinstance(document.get(call.endpoint.answer_field), list | int):
        raise unusable(upstream, f"it has no field '{call.endpoint.answer_field}'")
    return document


def _begun(body: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    next(body)  # only a generator that has begun does anything when it is closed
    return body


def _stream(
    exchange: client.Exchange, call: Call, attempt: Attempt, spoken: Dialect
) -> Generator[bytes, None, None]:
    """A stream's events, whole ones only: what the client has read of it is then valid, wherever it is cut."""
    upstream = attempt.upstream
    last: deque[bytes] = deque(maxlen=_LAST_CHUNKS)
    rename = spoken.renamer(call.model)
    try:
        yield b""
        for events in _whole_events(exchange, attempt):
            chunk, failure = spoken.split_error(events)
            last.append(chunk)
            yield rename(chunk)
            if failure is not None:
                raise upstream_error(upstream, find_error(json.loads(failure)) or 502, (), failure)
        lacking = spoken.finish(b"".join(last))
        if lacking is None:
            raise broken(upstream)
        if lacking:
            yield lacking
    except (HttpError, OSError) as error:
        raise broken(upstream) from error
    finally:
        exchange.close()


def _whole_events(exchange: client.Exchange, attempt: Attempt) -> Iterator[bytes]:
    """What has arrived, as soon as it makes whole events."""
    upstream = attempt.upstream
    reader, touch = EventReader(), attempt.deadline.touch
    touch()
    while chunk := exchange.read_some():
        events = reader.feed(chunk)
        if len(reader.rest) > LARGEST_EVENT_BYTES:
            raise unusable(upstream, f"an event of it has more than {LARGEST_EVENT_BYTES} bytes")
        if events:
            yield drop_unused_lines(events)
        touch()  # not earlier: a client that reads slowly is no silence of the upstream's
    if not reader.rest.strip():
        return
    last = close_event(reader.rest)
    if not last:
        raise told_error(upstream, reader.rest) or broken(upstream)
    yield drop_unused_lines(last)


def _fields(call: Call, upstream: Upstream, deployment: Deployment) -> Mapping[str, Any]:
    """What the upstream is asked: the client's fields, the operator's presets, and the row's edits."""
    given = without_controls(call.body.fields, keep_metadata=bool(call.endpoint.native))
    presets = call.endpoint.presets
    fields: Mapping[str, Any] = given
    preset = {
        key: value
        for key, value in deployment.params.items()
        if key in presets and value is not None and key not in given
    }
    if not call.stream:
        preset.pop("stream_options", None)  # refused where there is no stream
    if preset:
        fields = {**preset, **given}
    chat = call.endpoint.name == "chat_completions"
    provider, model = upstream.provider, deployment.model
    edit = provider.edit_of(model) if chat else _UNCHANGED
    if provider.model_prefix or provider.directions:
        model = provider.name_model(model)
    fields = edit_request(fields, edit, _choices(call, upstream))
    further = {
        key: value for key, value in deployment.params.items() if key not in given and is_passed_on(key)
    }
    extra = {**further, **(deployment.params.get("extra_body") or {})}
    if extra or fields.get("model") != model:
        fields = {**fields, "model": model, **extra}
    return fields


@cache
def is_passed_on(name: str) -> bool:
    """Check whether a parameter is a field of the provider's own: neither LiteLLM nor the gateway knows it."""
    if name in SETTINGS or name in PRESETS:
        return False
    from pennyworth.gateway.grades import is_known  # few have such a parameter

    return not is_known("litellm_params", name)


def _choices(call: Call, upstream: Upstream) -> Choices:
    return upstream.choices._replace(drop=True) if call.asked.drop else upstream.choices


def _body(call: Call, fields: Mapping[str, Any]) -> bytes:
    """The request's body: the client's bytes where nothing in them has changed."""
    unchanged = fields is call.body.fields and _names_model_once(call.body.raw)
    return call.body.raw if unchanged else _encode(fields)


def _encode(fields: Mapping[str, Any]) -> bytes:
    try:
        return _ENCODE(fields).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can carry
        return _ENCODE_ASCII(fields).encode()
    except ValueError:
        raise ApiError(
            400, "The body has a number that is too large. Send a smaller one.", code="invalid_value"
        ) from None


_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_ENCODE_ASCII = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def _names_model_once(raw: bytes) -> bool:
    """Whether no server can read another model than the gateway did, where a field may be there twice."""
    # each letter of the name begins so when it is escaped
    return raw.count(b'"model"') == 1 and b"\\u006" not in raw


def _withheld(name: str, own: Set[str]) -> bool:
    name = name.lower()
    return name in _WITHHELD or name in own or name.startswith("access-control-")
