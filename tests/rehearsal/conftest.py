"""One account for the rehearsals: set up once and deployed to once, and put back to either moment before a test.

Setting up and deploying take half a minute of processor time, going back takes milliseconds.
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests import warm

from pennyworth.local.aws.server import LocalAws
from pennyworth.local.rehearsal.repository import Rehearsal, Repository

PREPARED, DEPLOYED = "prepared", "deployed"
"""The account's moments, for LocalAws.restore: after `pennyworth bootstrap`, and after the first deployment."""


@dataclass(frozen=True)
class FirstDeployment:
    """A push to a new repository, with its secrets unmasked."""

    rehearsal: Rehearsal
    arguments: frozenset[str]
    """The arguments of all processes that ran meanwhile."""


@pytest.fixture(scope="session")
def origin(shared_judging_aws: LocalAws) -> Iterator[Repository]:
    """The repository that the account was set up for. Its provider serves all others that are like it."""
    shared_judging_aws.reset()
    with Repository(shared_judging_aws) as repository:
        shared_judging_aws.keep(PREPARED)
        yield repository


@pytest.fixture(scope="session")
def first_deployment(shared_judging_aws: LocalAws, origin: Repository) -> FirstDeployment:
    """The one deployment that other tests go on from."""
    shared_judging_aws.restore(PREPARED)
    with watched_arguments() as arguments:
        rehearsal = origin.run(masked=False)
    assert rehearsal.job.succeeded, rehearsal.job.output
    shared_judging_aws.keep(DEPLOYED)
    return FirstDeployment(rehearsal, frozenset(arguments))


@pytest.fixture
def prepared_aws(shared_judging_aws: LocalAws, origin: Repository) -> LocalAws:
    """An account that nothing was deployed to."""
    del origin  # has kept the moment
    shared_judging_aws.restore(PREPARED)
    return shared_judging_aws


@pytest.fixture
def deployed_aws(shared_judging_aws: LocalAws, first_deployment: FirstDeployment) -> LocalAws:
    """An account with one deployment."""
    del first_deployment  # has kept the moment
    shared_judging_aws.restore(DEPLOYED)
    return shared_judging_aws


@pytest.fixture
def prepared_repository(origin: Repository, prepared_aws: LocalAws) -> Iterator[Repository]:
    """A repository that has deployed nothing."""
    with like(origin, prepared_aws) as repository:
        yield repository


@pytest.fixture
def deployed_repository(origin: Repository, deployed_aws: LocalAws) -> Iterator[Repository]:
    """A repository whose endpoint is deployed."""
    with like(origin, deployed_aws) as repository:
        yield repository


@contextmanager
def like(origin: Repository, aws: LocalAws, *, called: bool = False) -> Iterator[Repository]:
    """A new repository with the secrets and the configuration of another one, whose account it deploys to.

    Its runs find Python's libraries imported, which takes a quarter of the time. Those of the first deployment do not.

    Args:
        origin: the other one.
        aws: its account.
        called: see Repository.
    """
    with Repository(aws, called=called, ready=False) as repository:
        repository.python = warm.step_python()
        repository.secrets = dict(origin.secrets)
        repository.write("config.yaml", (origin.tree / "config.yaml").read_text())
        yield repository


@contextmanager
def watched_arguments() -> Iterator[set[str]]:
    """The arguments of every process on this machine, as any user of it sees them, looked at again and again."""
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.3):
            listed = subprocess.run(
                ["ps", "-axww", "-o", "args="], capture_output=True, text=True, check=True
            )
            seen.update(listed.stdout.splitlines())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
