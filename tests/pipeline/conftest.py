"""A deployment's own program, with its libraries already imported."""

import pytest
from tests import warm

from pennyworth.pipeline.deploy import deployment


@pytest.fixture(autouse=True)
def _warm_sam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "environment", warm.environment)
