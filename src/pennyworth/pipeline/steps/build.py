"""Build the function's package for its Lambda runtime with `sam build`."""

import os
from collections.abc import Mapping
from pathlib import Path

from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.pipeline.build import FUNCTION, BuildFailed, Target, sam_build

TITLE = "Package"

_CONFIG = Path("config.yaml")

_LITELLM = {"auto": None, "yes": True, "no": False}


def run(environ: dict[str, str]) -> str:
    """Build. Sets the step's output `template`.

    Args:
        environ: PYTHON_RUNTIME and ARCHITECTURE, the template's defaults where empty; CONFIG, a LiteLLM configuration
            to pack, by default the workspace's config.yaml if there is one; LITELLM_MODEL_PROVIDER, who answers
            where there is none; LITELLM_LANE: auto, yes or no. PENNYWORTH_TARGET_SYSTEM is linux unless the
            function runs elsewhere than in Lambda.
    Returns:
        what was built, and its size.
    Raises:
        OperationFailed: it can't be built.
    """
    config = configuration_file(environ)
    lane = environ.get("LITELLM_LANE") or "auto"
    if lane not in _LITELLM:
        raise OperationFailed(f"LITELLM_LANE is {lane}", "It is auto, yes or no.")
    try:
        target = Target.from_environ(
            environ
            | {
                "PENNYWORTH_TARGET_PYTHON": environ.get("PYTHON_RUNTIME", ""),
                "PENNYWORTH_TARGET_ARCHITECTURE": environ.get("ARCHITECTURE", ""),
            }
        )
        _put_on_path(target.python, environ)
        # in the job's own folder: another job may build at the same time
        out = Path(environ["RUNNER_TEMP"], "deploy") if environ.get("RUNNER_TEMP") else made("deploy")
        template = sam_build(target, config=config, litellm=_LITELLM[lane], out=out.resolve())
    except (BuildFailed, ValueError) as failure:
        raise OperationFailed(
            "The function can't be built", "What the build says:", str(failure)
        ) from failure
    actions.output("template", str(template))
    package = template.parent / FUNCTION
    size = sum(file.stat().st_size for file in package.rglob("*") if file.is_file())
    configured = f"configured by `{config.name}`" if config else "without a configuration file"
    return f"For {target}, {configured}: {size / 2**20:.1f} MiB unzipped (Lambda takes 250)."


def configuration_file(environ: Mapping[str, str]) -> Path | None:
    """The configuration to deploy: CONFIG, else the workspace's config.yaml if there is one."""
    return Path(environ["CONFIG"]) if environ.get("CONFIG") else _CONFIG if _CONFIG.exists() else None


def _put_on_path(version: str, environ: dict[str, str]) -> None:
    """Let the build find the runner's own copy of the function's Python, which compiles its bytecode.

    GitHub's runners hold one of each version that is not on PATH: https://github.com/actions/runner-images.
    """
    cache = Path(environ.get("RUNNER_TOOL_CACHE") or "/nonexistent")
    for folder in sorted(cache.glob(f"Python/{version}.*/*/bin")):
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
