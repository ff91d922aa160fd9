"""Finds or builds the AWS Lambda Web Adapter, which connects Lambda and the app; or uses our stand-in.

https://github.com/aws/aws-lambda-web-adapter
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made, work_dir
from pennyworth.host.processes import Child
from pennyworth.host.progress import say, step
from pennyworth.local.aws import standin

VERSION = "1.0.0-rc1"
"""The newest version on crates.io."""
_PROCESSORS = {"arm64": "aarch64", "x86_64": "x86_64"}
PROGRAM = "lambda-adapter"
VARIABLE = "PENNYWORTH_LAMBDA_ADAPTER"
STAND_IN = "stand-in"
_PROGRESS_SECONDS = 15.0

# The release profile takes minutes to optimise a program that only passes a few requests on here
_BUILT_QUICKLY = {
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_STRIP": "debuginfo",
}


class AdapterUnavailable(OperationFailed):
    """The Web Adapter could not be built. The message says what to do next."""


def real() -> Path | None:
    """Find the real Web Adapter: from PENNYWORTH_LAMBDA_ADAPTER, built here, or on PATH."""
    named = os.environ.get(VARIABLE)
    if named and named != STAND_IN:
        return Path(named)
    built = work_dir() / "adapter" / "bin" / PROGRAM
    found = built if os.access(built, os.X_OK) else shutil.which(PROGRAM)
    return Path(found) if found else None


def command() -> list[str]:
    """Return what to run next to a function: the real Web Adapter or, without it, the stand-in."""
    program = None if os.environ.get(VARIABLE) == STAND_IN else real()
    return [str(program)] if program else [sys.executable, "-I", "-S", standin.__file__]


def build() -> Path:
    """Build the real Web Adapter with cargo, in the project's folder.

    Returns:
        the path of the program.
    Raises:
        AdapterUnavailable: cargo is missing or failed.
    """
    return _install(made("adapter"), _BUILT_QUICKLY)


def build_for(architecture: str) -> Path:
    """Build the real Web Adapter for Lambda: optimised, and linked statically, so that it needs no library of Lambda's.

    Args:
        architecture: arm64 or x86_64.
    Returns:
        the path of the program.
    Raises:
        AdapterUnavailable: cargo is missing or failed.
    """
    target = f"{_PROCESSORS[architecture]}-unknown-linux-gnu"
    environ = {"RUSTFLAGS": "-C target-feature=+crt-static"}
    try:
        return _install(made("adapter", target), environ, "--target", target)
    except AdapterUnavailable as failure:
        raise AdapterUnavailable(
            f"{failure}\nBuild it on a machine with that processor, install what cargo needs for another one (`rustup"
            f" target add {target}` and a linker), or publish AWS's own: `pennyworth adapter download`, then --zip."
        ) from failure


def _install(root: Path, environ: Mapping[str, str], *options: str) -> Path:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise AdapterUnavailable(
            "cargo is not on PATH. Install Rust (https://rustup.rs), or do without the real Web Adapter: see --help."
        )
    install = [cargo, "install", "lambda_web_adapter", "--version", VERSION, "--locked", "--root", str(root)]
    install += options
    with (
        tempfile.TemporaryDirectory(prefix="cargo-", dir=made("tmp")) as target,
        step(f"building the Lambda Web Adapter {VERSION} (first time only)") as detail,
        Child(
            install,
            log=made("logs") / "adapter.log",
            env={**os.environ, **environ, "CARGO_TARGET_DIR": target, "CARGO_TERM_COLOR": "never"},
        ) as child,
    ):
        while True:
            try:
                status = child.wait(_PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                say(f"  · {_compiled(child)} packages compiled")
        detail(f"{_compiled(child)} packages")
        program = root / "bin" / PROGRAM
        if status or not program.exists():
            raise AdapterUnavailable(f"cargo could not build the Web Adapter:\n{child.tail()}")
    return program


def _compiled(child: Child) -> int:
    return child.tail(sys.maxsize).count("Compiling ")
