"""A crowd of callers, in small: the module `soak` runs the same for as long as one likes."""

import pytest
from tests.gateway.oddities.caller import PATIENCE_SECONDS
from tests.gateway.soak import MANNERS, Report, soak


def holds(report: Report, requests: int) -> None:
    assert report.faults == []
    assert report.asked == requests
    assert report.longest < PATIENCE_SECONDS
    assert report.connections < requests
    answered = sum(count for outcome, count in report.outcomes.items() if outcome.endswith(": the answer"))
    assert answered > requests * MANNERS["usual"] / sum(MANNERS.values()) / 2


def test_nobody_in_a_crowd_hears_another_one_s_answer() -> None:
    holds(soak("direct", requests=600, parallel=50), 600)


@pytest.mark.parametrize("lane", ["anthropic", "azure"])
def test_nobody_in_a_crowd_hears_another_one_s_stream(lane: str) -> None:
    holds(soak(lane, requests=60, parallel=20, streamed=1), 60)
