"""What tests of several parts need: the function's package, as `sam build` makes it for this machine."""

from pathlib import Path

import pytest

from pennyworth.host.places import made
from pennyworth.pipeline.package import FUNCTION, Target, sam_build


def _package(name: str, *, litellm: bool) -> Path:
    out = made("build", "tests", name)
    return sam_build(Target.here(), config=None, litellm=litellm, out=out).parent / FUNCTION


@pytest.fixture(scope="session")
def trimmed_package() -> Path:
    """The package with LiteLLM for this interpreter and machine. Built anew only where something has changed."""
    return _package("litellm", litellm=True)


@pytest.fixture(scope="session")
def direct_package() -> Path:
    """The package without LiteLLM."""
    return _package("direct", litellm=False)
