"""The function's package, as a workflow's job or a person asks for it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pennyworth.aws.stack_parameters import read_parameters
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.pipeline.build.archive import compute_digest
from pennyworth.pipeline.build.configuration import find_configuration
from pennyworth.pipeline.build.sam import ARCHIVE, FUNCTION, sam_build
from pennyworth.pipeline.build.target import Target
from pennyworth.pipeline.build.tools import BuildFailed

LITELLM: Mapping[str, bool | None] = {"auto": None, "yes": True, "no": False}
"""Whether LiteLLM is packed, in the words of settings and options."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is built, and for what."""

    target: Target
    out: Path
    """A folder of its own for the build and what sam keeps beside it."""
    config: Path | None = None
    """A LiteLLM configuration to pack."""
    litellm: bool | None = None
    """Whether the package holds LiteLLM; None for what the configuration asks for."""
    provider: str = ""
    """LiteLLM's name of the provider that answers where there is no configuration."""
    interpreters: Path | None = None
    """Where a runner keeps Pythons that are not on PATH."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them, all of them if wanted: the parameters PythonRuntime, Architecture and
        ModelProvider; CONFIG, by default the workspace's config.yaml if there is one; LITELLM_LANE: auto, yes or no;
        PENNYWORTH_TARGET_SYSTEM, linux unless the function runs elsewhere than in Lambda; RUNNER_TEMP and
        RUNNER_TOOL_CACHE, as GitHub sets them.

        Raises:
            OperationFailed: one is wrong.
        """
        lane = environ.get("LITELLM_LANE") or "auto"
        if lane not in LITELLM:
            raise OperationFailed(f"LITELLM_LANE is {lane}", "It is auto, yes or no.")
        parameters = read_parameters(environ)
        cache = environ.get("RUNNER_TOOL_CACHE", "")
        temporary = environ.get("RUNNER_TEMP", "")
        try:
            target = Target.choose(
                parameters.get("PythonRuntime", ""),
                parameters.get("Architecture", ""),
                environ.get("PENNYWORTH_TARGET_SYSTEM", ""),
            )
        except ValueError as failure:
            raise _refuse(failure) from failure
        return cls(
            target=target,
            # in the job's own folder: another job may build at the same time
            out=Path(temporary, "deploy") if temporary else made("deploy"),
            config=find_configuration(environ),
            litellm=LITELLM[lane],
            provider=parameters.get("ModelProvider", ""),
            interpreters=Path(cache) if cache else None,
        )


@dataclass(frozen=True, slots=True)
class Package:
    """What was built."""

    template: Path
    """The built template."""
    bytes: int
    """The package's size, unzipped."""
    archive: Path
    """The package as it is deployed, a zip file."""
    digest: str
    """The zip file's SHA-256 in base64, as Lambda's CodeSha256 is."""


def build_package(inputs: Inputs) -> Package:
    """Build.

    Raises:
        OperationFailed: it can't be built.
    """
    _put_on_path(inputs.target.python, inputs.interpreters)
    try:
        template = sam_build(
            inputs.target,
            config=inputs.config,
            litellm=inputs.litellm,
            provider=inputs.provider,
            out=inputs.out.resolve(),
        )
    except (BuildFailed, ValueError) as failure:
        raise _refuse(failure) from failure
    package = template.parent / FUNCTION
    archive = template.parent / ARCHIVE
    return Package(
        template,
        sum(file.stat().st_size for file in package.rglob("*") if file.is_file()),
        archive,
        compute_digest(archive),
    )


def _put_on_path(version: str, interpreters: Path | None) -> None:
    """Let the build find the runner's own copy of the function's Python, which compiles its bytecode.

    GitHub's runners hold one of each version that is not on PATH: https://github.com/actions/runner-images.
    """
    if interpreters:
        for folder in sorted(interpreters.glob(f"Python/{version}.*/*/bin")):
            os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def _refuse(failure: Exception) -> OperationFailed:
    return OperationFailed("The function can't be built", "What the build says:", str(failure))
