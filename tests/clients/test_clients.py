"""Each client on each lane does what the matrix says, and no check that it says to be missing passes unseen."""

from pathlib import Path

import pytest

from tests.clients.conftest import KEY
from tests.clients.matrix import CLIENTS, LANES, Client
from tests.clients.page import PAGE, rewritten
from tests.clients.run import run

_SEEN: dict[str, dict[str, dict[str, str]]] = {}
"""What was wrong, by client, lane and check."""


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name.replace(" ", "-"))
def test_a_client_does_what_the_matrix_says(client: Client, lane: str, gateway: str, home: Path) -> None:
    problems = run(client, gateway, KEY, (lane, f"{lane}-cut"), home)
    _SEEN.setdefault(client.name, {})[lane] = problems
    unexpected = {check: said for check, said in problems.items() if said and check not in client.missing}
    assert not unexpected, "\n".join(f"{check}: {said}" for check, said in unexpected.items())
    passing = [check for check in client.missing if not problems.get(check)]
    assert not passing, f"take these out of the matrix's `missing`, they work now: {passing}"


def test_the_page_says_what_this_run_saw(request: pytest.FixtureRequest) -> None:
    if any(set(_SEEN.get(client.name, ())) != set(LANES) for client in CLIENTS):
        pytest.skip("not all clients were run")
    page = rewritten(PAGE.read_text(), _SEEN)
    if request.config.getoption("--write"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, 'write it with: make test ARGS="clients --write"'
