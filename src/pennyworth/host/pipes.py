"""Programs whose output goes into a pipe that its reader may close early."""

import os
import sys
from collections.abc import Callable


def end_with_reader(program: Callable[[], int]) -> int:
    """Run a program. If the reader of its output has enough, as in `… | head`, it ends without a traceback.

    Args:
        program: what to run; returns the exit status.
    Returns:
        its exit status, or 1 if the reader ended first.
    """
    try:
        try:
            return program()
        finally:
            sys.stdout.flush()  # what is still buffered, such as --help, would fail only at Python's end
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would complain at its end
        return 1
