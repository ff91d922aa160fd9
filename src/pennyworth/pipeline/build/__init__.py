"""Build the function's package with `sam build`, reproducibly, for any target and on any machine."""

from pennyworth.pipeline.build.packaging import LITELLM, Inputs, Package, build_package
from pennyworth.pipeline.build.sam import ARCHIVE, FUNCTION, sam_build
from pennyworth.pipeline.build.target import Target
from pennyworth.pipeline.build.tools import BuildFailed

__all__ = [
    "ARCHIVE",
    "FUNCTION",
    "LITELLM",
    "BuildFailed",
    "Inputs",
    "Package",
    "Target",
    "build_package",
    "sam_build",
]
