"""Build the function's package for its Lambda runtime with `sam build`."""

from pennyworth.github import actions
from pennyworth.pipeline.build.packaging import Inputs, build_package

TITLE = "Package"


def run(environ: dict[str, str]) -> str:
    """Build. Sets the step's outputs `template`, `package` and `digest`.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what was built, and its size.
    Raises:
        OperationFailed: it can't be built.
    """
    inputs = Inputs.of(environ)
    package = build_package(inputs)
    actions.output("template", str(package.template))
    actions.output("package", str(package.archive))
    actions.output("digest", package.digest)
    configured = f"configured by `{inputs.config.name}`" if inputs.config else "without a configuration file"
    size = f"{package.bytes / 2**20:.1f} MiB unzipped (Lambda takes 250)"
    return f"For {inputs.target}, {configured}: {size}. SHA-256 of the zip file: `{package.digest}`."
