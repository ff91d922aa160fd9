"""The evaluator and the recorded calls, both made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import lifecycle
from .account import ACCOUNT
from .evaluator import Evaluator


@pytest.fixture(scope="session")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator(ACCOUNT) as evaluator:
        yield evaluator


@pytest.fixture(scope="session")
def recorded_calls(direct_package: Path, tmp_path_factory: pytest.TempPathFactory) -> lifecycle.Recorded:
    """What was called from the first deployment to the deletion."""
    return lifecycle.record(direct_package.parent / "template.yaml", tmp_path_factory.mktemp("recorded"))
