"""However odd an upstream's exchange is, nobody hears a byte that was meant for another one."""

from collections.abc import Iterator

import pytest
from tests.gateway.oddities.conftest import UPSTREAMS, Case, Played
from tests.gateway.oddities.table import OF_BYTES, OF_EXCHANGES


def _cases() -> Iterator[Case]:
    for oddity in OF_EXCHANGES:
        for upstream in UPSTREAMS:
            for form in oddity.forms:
                for hangs_up in (False, True) if oddity.hangs_up is not None else (False,):
                    yield Case(upstream, oddity, form == "streamed", hangs_up)
    for number, oddity in enumerate(OF_BYTES):
        yield Case("direct", oddity, streamed=False)
        yield Case("direct", oddity, streamed=True)
        # of the LiteLLM lane's two kinds, one has it whole and the other has it streamed
        yield Case("azure", oddity, streamed=number % 2 == 0)
        yield Case("anthropic", oddity, streamed=number % 2 == 1)


@pytest.mark.parametrize("case", list(_cases()), ids=str)
def test_each_caller_gets_its_own_answer_or_an_error(case: Case, played: Played) -> None:
    found = played(case)
    assert not found, "\n".join(found)
