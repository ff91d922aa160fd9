"""What a request asks of the gateway itself: in fields and headers, as LiteLLM's clients send them.

A caller can ask for less time and for fewer attempts than are configured, and for other models among those that it may
call; never for an address or a key. https://docs.litellm.ai/docs/proxy/request_headers
"""

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pennyworth.gateway.bodies import Body
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.fallbacks import ANY, FALLBACK_KINDS, Fallbacks, Names
from pennyworth.gateway.wsgi import Request

_HEADERS = {
    "timeout": "x-litellm-timeout",
    "stream_timeout": "x-litellm-stream-timeout",
    "num_retries": "x-litellm-num-retries",
}
"""Which header stands for which field, and wins over it."""

_MOST_TAGS = 16
_LONGEST_TAG = 100


class Asked(NamedTuple):
    """What a request asks of the gateway."""

    timeout: float = math.inf
    """Seconds that a provider may be silent, of a stream only where nothing else says how long."""
    stream_timeout: float = math.inf
    """The same, of a stream."""
    retries: float | None = None
    """How often to try again."""
    fallbacks: Mapping[str, Names] = MappingProxyType({})
    """Which models stand in, by the kind of fallbacks that these replace."""
    most_fallbacks: float = math.inf
    """How many of them may be tried."""
    drop: bool = False
    """`drop_params`: whether what the upstream refuses is left out."""
    tags: tuple[str, ...] = ()
    """For the log."""

    @property
    def is_impatient(self) -> bool:
        """Whether it asks for a time-out of its own."""
        return min(self.timeout, self.stream_timeout) < math.inf

    def choose_fallbacks(self, configured: Fallbacks) -> Fallbacks:
        """The request's own fallbacks where it has some, else those that are configured."""
        if not self.fallbacks and self.most_fallbacks == math.inf:
            return configured
        given = {_KIND_FIELDS[kind]: names for kind, names in self.fallbacks.items()}
        return configured._replace(most=min(configured.most, self.most_fallbacks), **given)

    def named_models(self) -> Iterator[tuple[str, str]]:
        """The field and the name of each model that the caller wants to stand in."""
        for kind, names in self.fallbacks.items():
            yield from ((kind, model) for models in names.values() for model in models)


_KIND_FIELDS: Mapping[str, Any] = dict(
    zip(FALLBACK_KINDS, ("general", "context_window", "content_policy"), strict=True)
)
"""How `Fallbacks` names each kind."""

NOTHING_ASKED = Asked()


def unpack(body: Body) -> Body:
    """A body with what a client wrote into `extra_body`, which LiteLLM's own leave there, among its other fields.

    What stands beside it wins, the model's name among it.
    """
    if "extra_body" not in body.fields:
        return body
    fields = {name: value for name, value in body.fields.items() if name != "extra_body"}
    extra = body.fields["extra_body"]
    if isinstance(extra, Mapping):
        fields = {**extra, **fields}
    return body._replace(raw=b"", fields=fields)  # the bytes are not what is asked any more


def read_asked(fields: Mapping[str, Any], request: Request) -> Asked:
    """Read what a request asks.

    Args:
        fields: the body's.
        request: has the headers.
    Raises:
        ApiError: 400 `invalid_value`, which names the field.
    """
    if _FIELDS.isdisjoint(fields) and _VARIABLES.isdisjoint(request.environ):  # as nearly all are
        return NOTHING_ASKED
    timeout = _number("timeout", fields, request)
    if timeout is None:
        timeout = _number("request_timeout", fields, request)
    most = _number("max_fallbacks", fields, request)
    if fields.get("disable_fallbacks") is True:
        most = 0
    return Asked(
        timeout or math.inf,  # 0 is none, as with LiteLLM
        _number("stream_timeout", fields, request) or math.inf,
        _number("num_retries", fields, request),
        dict(_fallbacks(fields)),
        math.inf if most is None else most,
        fields.get("drop_params") is True,
        tuple(_tags(fields, request)),
    )


_CONTEXT_WINDOW_DICT = "context_window_fallback_dict"
_TAGS_HEADER = "x-litellm-tags"
_TAGGED = ("tags", "metadata", "litellm_metadata")
_VARIABLES = frozenset(
    f"HTTP_{header.upper().replace('-', '_')}" for header in (*_HEADERS.values(), _TAGS_HEADER)
)
"""The headers, as a WSGI environment names them."""
_FIELDS = frozenset(
    [
        *_HEADERS,
        "request_timeout",
        "max_fallbacks",
        "disable_fallbacks",
        "drop_params",
        *FALLBACK_KINDS,
        _CONTEXT_WINDOW_DICT,
        *_TAGGED,
    ]
)


def _number(name: str, fields: Mapping[str, Any], request: Request) -> float | None:
    header = _HEADERS.get(name, "")
    value: Any = (header and request.header(header)) or fields.get(name)
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise _invalid(name, "a number from 0 on is expected")
    return number


def _fallbacks(fields: Mapping[str, Any]) -> Iterator[tuple[str, Names]]:
    for kind in FALLBACK_KINDS:
        value = fields.get(kind)
        if kind == "context_window_fallbacks" and value is None:
            value = fields.get(_CONTEXT_WINDOW_DICT)
        if value is not None:
            yield kind, _names(kind, value if isinstance(value, list) else [value])


def _names(kind: str, entries: list[Any]) -> Names:
    """The models by the name of the one that they stand in for: a list of names stands in for any."""
    names: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        if isinstance(entry, str):
            entry = {ANY: entry}
        elif isinstance(entry, Mapping) and isinstance(entry.get("model"), str):
            if len(entry) > 1:
                raise _invalid(kind, "a fallback is a model's name and nothing else")
            entry = {ANY: entry["model"]}
        if not isinstance(entry, Mapping):
            raise _invalid(kind, "a list of models' names is expected")
        for model, value in entry.items():
            listed = value if isinstance(value, list) else [value]
            if not all(isinstance(name, str) and name for name in listed):
                raise _invalid(kind, "a list of models' names is expected")
            names[model] = (*names.get(model, ()), *listed)
    return names


def _tags(fields: Mapping[str, Any], request: Request) -> Iterator[str]:
    """The labels for this request, wherever LiteLLM's clients put them."""
    held = (fields.get(name) for name in _TAGGED)
    places = [value.get("tags") if isinstance(value, Mapping) else value for value in held]
    places.append(request.header(_TAGS_HEADER).split(","))
    labels = (
        tag.strip() for tags in places if isinstance(tags, list) for tag in tags if isinstance(tag, str)
    )
    shown = dict.fromkeys(label for label in labels if label.isprintable() and 0 < len(label) <= _LONGEST_TAG)
    yield from list(shown)[:_MOST_TAGS]


def _invalid(name: str, expected: str) -> ApiError:
    header = f" (or the header {_HEADERS[name]})" if name in _HEADERS else ""
    return ApiError(400, f"The field '{name}'{header}: {expected}.", code="invalid_value", param=name)
