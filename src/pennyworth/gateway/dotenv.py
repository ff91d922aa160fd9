"""Variables as `.env` files hold them: comments, quotes, `export`, and values of several lines in quotes.

The grammar is that of python-dotenv, without variables in values: https://saurabh-kumar.com/python-dotenv/reference/.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_BLANK = re.compile(r"(?:[^\S\n]*(?:#[^\n]*)?\n)*[^\S\n]*(?:#[^\n]*\Z)?")
_NAME = re.compile(r"(?:export[^\S\n]+)?([^=#\s'\"]+)[^\S\n]*=[^\S\n]*")
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_END = re.compile(r"[^\S\n]*(?:#[^\n]*)?(?:\n|\Z)")
_REST = re.compile(r"[^\n]*(?:\n|\Z)")
_COMMENT = re.compile(r"\s+#.*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Variable:
    """One that a text sets."""

    name: str
    value: str = field(repr=False)
    line: int
    """Where it stands, from 1."""


@dataclass(frozen=True, slots=True)
class Dotenv:
    """A text that was read."""

    variables: tuple[Variable, ...]
    broken: tuple[int, ...]
    """Lines that set nothing and are no comment."""

    def values(self) -> dict[str, str]:
        """The values by name; of a name that stands twice the first."""
        values: dict[str, str] = {}
        for variable in self.variables:
            values.setdefault(variable.name, variable.value)
        return values


def read_dotenv(text: str) -> Dotenv:
    """Read a text.

    Args:
        text: with any line ends, and perhaps a byte-order mark.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    variables: list[Variable] = []
    broken: list[int] = []
    for at, found in _statements(text):
        line = text.count("\n", 0, at) + 1
        if found:
            variables.append(Variable(*found, line))
        else:
            broken.append(line)
    return Dotenv(tuple(variables), tuple(broken))


def _statements(text: str) -> Iterator[tuple[int, tuple[str, str] | None]]:
    """Each statement's place, and its name and value; None where it is none."""
    at = _skip(text, 0)
    while at < len(text):
        began, name = at, _NAME.match(text, at)
        value, at = _value(text, name.end()) if name else (None, _rest(text, at))
        yield began, (name[1], value) if name and value is not None else None
        at = _skip(text, at)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _rest(text: str, at: int) -> int:
    found = _REST.match(text, at)
    return found.end() if found else len(text)


def _value(text: str, at: int) -> tuple[str | None, int]:
    """The value that begins at a place, and where the next statement may begin."""
    for quote, quoted in (("'", _SINGLE), ('"', _DOUBLE)):
        if text.startswith(quote, at):
            found = quoted.match(text, at)
            end = _END.match(text, found.end()) if found else None
            if not found or not end:
                return None, _rest(text, at)
            return _unescaped(found[1], quote), end.end()
    end_of_line = _rest(text, at)
    return _COMMENT.sub("", text[at:end_of_line]).strip(), end_of_line


def _unescaped(text: str, quote: str) -> str:
    known = _ESCAPES if quote == '"' else {"'": "'", "\\": "\\"}
    return re.sub(r"\\(.)", lambda match: known.get(match[1], match[0]), text, flags=re.DOTALL)
