"""The evaluator, started once."""

from collections.abc import Iterator

import pytest

from tests.policies.evaluator import Evaluator

ACCOUNT = "123456789012"


@pytest.fixture(scope="session")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator(ACCOUNT) as evaluator:
        yield evaluator
