"""What tests of several parts need: the function's package, as `sam build` makes it for this machine; a local AWS that
has forgotten what the test before did; and that whatever is said to the fake of GitHub's API could be said to GitHub.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pennyworth.host.places import made
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.github import Exchange, FakeGitHub
from pennyworth.pipeline.build import FUNCTION, Target, sam_build
from tests import warm

warm.read_service_models_once()


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


@pytest.fixture(scope="session")
def shared_aws() -> Iterator[LocalAws]:
    """The local AWS behind `local_aws`, for fixtures that keep a moment of it."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def local_aws(shared_aws: LocalAws) -> LocalAws:
    """An empty account. The emulator stays: it takes seconds to come, and milliseconds to forget."""
    shared_aws.reset()
    return shared_aws


@pytest.fixture(scope="session")
def shared_judging_aws() -> Iterator[LocalAws]:
    """The local AWS behind `judging_aws`, for fixtures that keep a moment of it."""
    with LocalAws(auth=True) as aws:
        yield aws


@pytest.fixture
def judging_aws(shared_judging_aws: LocalAws) -> LocalAws:
    """An empty account in which IAM judges each call."""
    shared_judging_aws.reset()
    return shared_judging_aws


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
