"""The function's package: built by `sam build` for any target, on any machine, the same each time."""

from pennyworth.pipeline.package.sam import FUNCTION, sam_build
from pennyworth.pipeline.package.target import Target
from pennyworth.pipeline.package.tools import BuildFailed

__all__ = ["FUNCTION", "BuildFailed", "Target", "sam_build"]
