"""Options that are numbers."""

import argparse
from collections.abc import Callable


def read_number(kind: type[int] | type[float]) -> Callable[[str], float]:
    """A reader of numbers that are not negative, as argparse's `type`."""

    def read(text: str) -> float:
        try:
            if 0 <= (value := kind(text)) < float("inf"):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"a number is expected, not {text}")

    return read
