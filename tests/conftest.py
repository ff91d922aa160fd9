"""What tests of several parts need: the function's package, as `sam build` makes it for this machine; and that
whatever is said to the fake of GitHub's API could be said to GitHub."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pennyworth.host.places import made
from pennyworth.local.github import Exchange, FakeGitHub
from pennyworth.pipeline.build import FUNCTION, Target, sam_build


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


@pytest.fixture(autouse=True)
def _as_github_describes_it() -> Iterator[None]:
    """Fail a test in which GitHub was asked for, or answered, what its own description does not know."""
    said: list[Exchange] = []
    FakeGitHub.observers.append(said.append)
    yield
    FakeGitHub.observers.remove(said.append)
    if said:
        from tests.openapi import described  # pays for itself only where something was said

        problems = [problem for exchange in said for problem in described().problems(exchange)]
        assert not problems, "\n".join(problems)
