"""Run `sam build` for a target, with all its files in the project's folder."""

import hashlib
import re
import sys
from pathlib import Path

from pennyworth.host.environments import LOCKS, clean_environ, environment, locked
from pennyworth.host.interpreters import interpreter
from pennyworth.host.places import made
from pennyworth.host.processes import Child
from pennyworth.host.progress import say, step
from pennyworth.host.source_tree import source_tree
from pennyworth.pipeline.build.archive import write_archive
from pennyworth.pipeline.build.build import ENTRY, Choice
from pennyworth.pipeline.build.target import TEMPLATE, Target
from pennyworth.pipeline.build.tools import BuildFailed

FUNCTION = "Function"
"""The function's logical ID. Its package is the folder of that name beside the built template."""

ARCHIVE = f"{FUNCTION}.zip"
"""The package as it is deployed, beside the built template."""

_OURS = ("  · ", "  ✓ ", "  ✗ ", "  ! ")


def sam_build(
    target: Target, *, config: Path | None, litellm: bool | None, out: Path, provider: str = ""
) -> Path:
    """Build the function with `sam build`, unless nothing has changed since the last build.

    Args:
        target: the package's target. Deploy it with `target.parameters()`.
        config: a LiteLLM config file to include.
        litellm: whether to include LiteLLM; None to decide by the configuration.
        out: an own folder for the build and sam's other files.
        provider: LiteLLM's name of the provider that serves all models, if there is no configuration.
    Returns:
        the built template's path.
    Raises:
        BuildFailed: the build failed; the message contains its output.
    """
    out = out.resolve()
    choice = Choice.AUTO if litellm is None else Choice.YES if litellm else Choice.NO
    key = _compute_key(target, config, choice, provider)
    inputs, built = out / "inputs", out / "build" / "template.yaml"
    out.mkdir(parents=True, exist_ok=True)
    with locked(out / "package.lock"):
        if built.exists() and inputs.exists() and inputs.read_text() == key:
            say(f"  ✓ the package for {target} is up to date")
            return built
        inputs.unlink(missing_ok=True)
        environ = {
            **clean_environ(),
            **target.environ(),
            "PENNYWORTH_CONFIG": str(config.resolve()) if config else "",
            "PENNYWORTH_LITELLM": choice,
            "LITELLM_MODEL_PROVIDER": provider,
            "PYTHON": sys.executable,
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(made("sam")),
            "AWS_EC2_METADATA_DISABLED": "true",
            "TMPDIR": str(made("tmp")),
        }
        with (
            step(f"sam build for {target}"),
            Child(
                _build_command(target, built.parent), log=out / "log", env=environ, cwd=source_tree()
            ) as child,
        ):
            for line in child.lines():
                if line.startswith(_OURS):
                    say(f"  {line}")
            if child.wait():
                raise BuildFailed(f"sam build failed:\n{child.tail(30)}")
        _archive(built)
        inputs.write_text(key)
    return built


def _archive(built: Path) -> None:
    """Zip the package, and let the built template name the zip file. sam would make another zip on each machine."""
    with step("zipping the package"):
        write_archive(built.parent / FUNCTION, built.parent / ARCHIVE)
    text, found = re.subn(
        rf"^( +CodeUri: ){FUNCTION}$", rf"\g<1>{ARCHIVE}", built.read_text(), flags=re.MULTILINE
    )
    if found != 1:
        raise BuildFailed(f"The built template names the package {found} times as its CodeUri, not once.")
    built.write_text(text)


def _build_command(target: Target, folder: Path) -> list[str | Path]:
    places: list[str | Path] = ["--template-file", source_tree() / TEMPLATE.name, "--build-dir", folder]
    places += ["--cache-dir", made("cache", "sam")]
    overrides = [f"{name}={value}" for name, value in target.parameters().items()]
    return [environment("tools") / "sam", "build", *places, "--parameter-overrides", *overrides]


def _compute_key(target: Target, config: Path | None, choice: Choice, provider: str) -> str:
    """Compute a hash of all inputs of a build."""
    digest = hashlib.sha256(f"{target} {choice} {provider} {interpreter(target.python)}".encode())
    source = source_tree() / "src"
    package = source / "pennyworth"
    folders = (package / "gateway", package / "pipeline" / "build")
    sources = [
        path for folder in folders for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts
    ]
    locks = [LOCKS / f"{name}.txt" for name in ("gateway", "litellm", "uv", "tools")]
    single = [TEMPLATE, source / ENTRY, source / "Makefile", package / "__init__.py"]
    for path in (*sources, *locks, *single, *([config] if config else [])):
        if path.is_file():
            digest.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
