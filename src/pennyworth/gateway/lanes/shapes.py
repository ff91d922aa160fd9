"""Shapes of JSON values, as tables: what a field of a request may be, and what a client is told where it is not.

Messages name the field and what it must be; what stands there is never quoted.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pennyworth.gateway.errors import ApiError

STRING = "a string"
BOOLEAN = "true or false"
INTEGER = "a whole number"
NUMBER = "a number"
LIST = "a list"
OBJECT = "an object"

LONGEST_WORD = 8192

_KINDS: dict[type, str] = {
    str: STRING,
    bool: BOOLEAN,  # which Python takes for a number, and JSON does not
    int: INTEGER,
    float: NUMBER,
    list: LIST,
    dict: OBJECT,
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value may be. Fields of an object that are not named here may be anything."""

    kinds: tuple[str, ...]
    """Those that it may have."""
    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    """Of an object: fields that are looked at where they are present and not null."""
    needs: tuple[str, ...] = ()
    """Of an object: those of them that must be present."""
    items: "Shape | None" = None
    """Of a list: what each item must be."""
    values: tuple[str, ...] = ()
    """Of a string: those that are allowed; all, where there are none."""
    filled: bool = False
    """Whether a string or list must hold something."""
    longest: int = 0
    """How many characters or items a string or list may have; 0 for any number."""
    also: Callable[[Any, str], None] | None = None
    """What else is checked, of the value and its place; raises ApiError."""


def text(*values: str, also: Callable[[Any, str], None] | None = None) -> Shape:
    """A string, one of some values where there are any."""
    return Shape((STRING,), values=values, also=also)


def word(*, filled: bool = False) -> Shape:
    """A string that is a name or a choice, and no content."""
    return Shape((STRING,), filled=filled, longest=LONGEST_WORD)


def a(*kinds: str) -> Shape:
    """Whatever has one of these kinds."""
    return Shape(kinds)


def listed(items: Shape, longest: int = 0) -> Shape:
    """A list of such items."""
    return Shape((LIST,), items=items, longest=longest)


def an_object(*needs: str, **fields: Shape) -> Shape:
    """An object with such fields, of which some are needed."""
    return Shape((OBJECT,), fields=fields, needs=needs)


def check(value: object, shape: Shape, place: str) -> None:
    """See that a value has a shape.

    Args:
        value: what `json.loads` gives.
        shape: what it must be.
        place: where it stands in the request, such as `tools[0].function`.
    Raises:
        ApiError: 400, about the first fault.
    """
    kind = _kind(value)
    if kind not in shape.kinds and not (kind == INTEGER and NUMBER in shape.kinds):
        whole = kind == NUMBER and INTEGER in shape.kinds and isinstance(value, float) and value.is_integer()
        if not whole:
            raise wrong_kind(place, " or ".join(shape.kinds), value)
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid(place, "must be a number that JSON has: neither infinite nor NaN")
    if shape.longest and isinstance(value, (str, list)) and len(value) > shape.longest:
        unit = "characters" if isinstance(value, str) else "items"
        raise invalid(place, f"must have at most {shape.longest} {unit}")
    if isinstance(value, str):
        if shape.values and value not in shape.values:
            raise invalid(place, f"must be one of: {', '.join(shape.values)}")
    elif isinstance(value, dict):
        for name in shape.needs:
            if name not in value:
                raise missing(f"{place}.{name}")
        for name, inner in shape.fields.items():
            found = value.get(name)
            if found is not None or (name in shape.needs and name in value):
                check(found, inner, f"{place}.{name}")
    elif isinstance(value, list) and shape.items:
        for index, item in enumerate(value):
            check(item, shape.items, f"{place}[{index}]")
    if shape.filled and not value:
        raise invalid(place, "must not be empty")
    if shape.also:
        shape.also(value, place)


def missing(place: str, advice: str = "") -> ApiError:
    """A field that must be there is not."""
    return ApiError(
        400,
        _sentence(f"The field '{place}' is missing", advice),
        code="missing_required_parameter",
        param=place,
    )


def wrong_kind(place: str, expected: str, value: object, advice: str = "") -> ApiError:
    """A value has another kind than it must have.

    Args:
        place: where it stands.
        expected: what it must be, in words.
        value: what stands there, of which the kind is told.
        advice: what to do about it.
    """
    return ApiError(
        400,
        _sentence(f"The field '{place}' must be {expected}, and it is {_kind(value)}", advice),
        code="invalid_type",
        param=place,
    )


def invalid(place: str, demand: str, advice: str = "") -> ApiError:
    """A value has the right kind and can't be used.

    Args:
        place: where it stands.
        demand: what it must be, as the rest of a sentence.
        advice: what to do about it.
    """
    return ApiError(
        400, _sentence(f"The field '{place}' {demand}", advice), code="invalid_value", param=place
    )


def _sentence(fault: str, advice: str) -> str:
    return f"{fault}. {advice}" if advice else f"{fault}."


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "something else")
