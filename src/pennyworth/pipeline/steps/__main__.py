"""`python -m pennyworth.pipeline.steps NAME`."""

import sys

from pennyworth.pipeline.steps.runner import run_step

if __name__ == "__main__":
    sys.exit(run_step("pennyworth.pipeline.steps", sys.argv[1]))
