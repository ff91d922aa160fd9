"""Options whose values are numbers."""

import argparse
from collections.abc import Callable


def read_number(kind: type[int] | type[float]) -> Callable[[str], float]:
    """Return a parser for numbers of 0 or more, for argparse's `type`."""

    def read(text: str) -> float:
        try:
            if 0 <= (value := kind(text)) < float("inf"):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"expected a number of 0 or more, not {text}")

    return read
