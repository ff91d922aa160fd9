"""`python -m tools.release prepare`; `publishing` once it is attested; `pypi` once it is out."""

import sys

from pennyworth.pipeline.steps.runner import run_step

if __name__ == "__main__":
    sys.exit(run_step("tools.release", sys.argv[1]))
