"""Bounds on what LiteLLM does with a request or an answer that it can't translate.

Left to itself it takes seconds of processor time for a megabyte, and stalls everybody: it searches what it failed on
for credentials, line by line of several tracebacks; it puts what a schema refers to in the place of each reference
without an end; it prints what it failed on. Each bound replaces one function of LiteLLM's, or of the SDK below it.
"""

import functools
import importlib
import logging
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

# Read by LiteLLM while it is imported.
ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        # a regular expression over whole conversations, for logs that are switched off below
        "LITELLM_DISABLE_REDACT_SECRETS": "true",
        "MAX_IMAGE_URL_DOWNLOAD_SIZE_MB": "20",
    }
)

_LONGEST_TEXT = 2000
"""Characters of an exception that LiteLLM is let see."""

_LARGEST_SCHEMA_BYTES = 1_000_000
"""Of a schema once its references are replaced."""

_LOGGERS = ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router")

_TEXTS = ("message", "msg", "doc", "text")
"""Where exceptions keep what they were about, beside their arguments."""


def bind() -> None:
    """Set the bounds, once LiteLLM is imported."""
    for name in _LOGGERS:
        logging.getLogger(name).disabled = True
    warnings.simplefilter("ignore")  # pydantic's show the values that they warn of
    _replace(
        "unpack_defs",
        ("litellm.litellm_core_utils.prompt_templates.common_utils", "litellm.llms.vertex_ai.common_utils"),
        lambda original: functools.partial(original, max_inlined_bytes=_LARGEST_SCHEMA_BYTES),
    )
    _replace(
        "exception_type",
        ("litellm.main", "litellm.utils", "litellm.litellm_core_utils.streaming_handler"),
        _with_short_exceptions,
    )
    # the SDK walks through each message to find what it would rename: there is nothing
    for name in ("chat.completions.completions", "completions", "embeddings"):
        module: Any = importlib.import_module(f"openai.resources.{name}")
        module.maybe_transform = _given


def _replace(name: str, modules: tuple[str, ...], make: Callable[[Any], Any]) -> None:
    for place in modules:
        module: Any = importlib.import_module(place)
        setattr(module, name, make(getattr(module, name)))


def _with_short_exceptions(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def exception_type(*words: Any, **options: Any) -> Any:
        for error in (*words, *options.values()):
            if isinstance(error, BaseException):
                shorten(error)
        return original(*words, **options)

    return exception_type


def shorten(error: BaseException) -> None:
    """Cut the texts that an exception, and those that led to it, carry along."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.args = tuple(_cut(argument) for argument in one.args)
        for name in _TEXTS:
            text = getattr(one, name, None)
            if isinstance(text, str) and len(text) > _LONGEST_TEXT:
                try:
                    setattr(one, name, _cut(text))
                except AttributeError:  # it can't be set, and so is made of what was cut
                    continue
        waiting += [one.__cause__, one.__context__]


def _cut(value: Any) -> Any:
    return value[:_LONGEST_TEXT] if isinstance(value, (str, bytes)) else value


def _given(data: Any, _expected: object) -> Any:
    """A request's fields without those that nobody gave: what openai's own `maybe_transform` leaves of them."""
    if not isinstance(data, Mapping):
        return data
    openai: Any = importlib.import_module("openai")
    nothing = (openai.NotGiven, openai.Omit)
    return {name: value for name, value in data.items() if not isinstance(value, nothing)}
