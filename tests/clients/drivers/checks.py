"""What every driver of a Python client says and asks: the checks' names and words. Standard library alone, for a driver
runs in its client's own environment.

Prints a line of JSON for each check: `{"check": "chat", "problem": ""}`, an empty problem where the client can do it.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

URL = os.environ["OPENAI_BASE_URL"]
KEY = os.environ["OPENAI_API_KEY"]
MODEL = os.environ["MODEL"]
CUT = os.environ["CUT"]
WRONG_KEY = "sk-not-a-key"
QUESTION = "What is the capital of France?"
TEXT = "The capital of France is Paris."
USE_TOOL = 'CALL weather {"city":"Paris"}'
WEATHER = "rain-4711"
TOOL_TEXT = f"The tool said: {WEATHER}"
VECTOR = [0.5, -0.25, 0.125]


def expect(found: Any, wanted: Any) -> None:
    """Raises: AssertionError: they differ."""
    if found != wanted:
        raise AssertionError(f"expected {wanted!r}, got {found!r}")


def expect_pieces(pieces: Iterable[str | None], text: str = TEXT) -> None:
    """Raises: AssertionError: the pieces are not the text, or came all at once."""
    given = [piece for piece in pieces if piece]
    expect("".join(given), text)
    if len(given) < 3:
        raise AssertionError(f"the stream came in {len(given)} pieces")


def expect_error(call: Callable[[], object], *words: str) -> None:
    """Raises: AssertionError: the call does not fail, or its error lacks one of the words."""
    try:
        call()
    except AssertionError:
        raise  # this module's own, of an answer that ended too early without an error
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        if missing := [word for word in words if word not in said]:
            raise AssertionError(f"the error lacks {missing}: {said}") from error
        return
    raise AssertionError("it raises nothing")


def run(checks: dict[str, Callable[[], object]]) -> None:
    """Run the checks one after another."""
    for name, check in checks.items():
        problem = ""
        try:
            check()
        except BaseException as error:  # a client may raise whatever it likes
            problem = f"{type(error).__name__}: {error}"[:600] or "failed"
        print(json.dumps({"check": name, "problem": problem}), flush=True)
    sys.stdout.flush()
    os._exit(0)  # no client's threads keep it
