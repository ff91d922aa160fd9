"""The table in docs/clients.md, made from what a run of the clients saw."""

from collections.abc import Mapping
from typing import Any

from tools.pages import rewritten as with_table

from pennyworth.host.places import ROOT
from tests.clients.matrix import CHECKS, CLIENTS, LANES, Client

PAGE = ROOT / "docs" / "clients.md"
HEADING = "What works"

Seen = Mapping[str, Mapping[str, Mapping[str, str]]]


def rewritten(page: str, seen: Seen) -> str:
    """Return the page with the table of what was seen.

    Args:
        page: its present text.
        seen: what was wrong, by client, lane and check.
    """
    header = ["client", "version", *CHECKS, "why not"]
    rows: list[list[str]] = [header, ["---"] * len(header)]
    rows += [_row(client, seen[client.name]) for client in CLIENTS]
    return with_table(page, HEADING, "".join(f"| {' | '.join(row)} |\n" for row in rows))


def _row(client: Client, lanes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    why = dict.fromkeys(
        client.missing.get(check, "fails") for lane in lanes.values() for check, said in lane.items() if said
    )
    return [client.name, client.version(), *(_cell(check, lanes) for check in CHECKS), "; ".join(why)]


def _cell(check: str, lanes: Mapping[str, Mapping[str, str]]) -> str:
    """✓ or ✗, for each lane where they differ or one was not run; empty where the client has no such thing."""
    marks = {lane: "✗" if problems[check] else "✓" for lane, problems in lanes.items() if check in problems}
    if not marks or (len(marks) == len(LANES) and len(set(marks.values())) == 1):
        return next(iter(marks.values()), "")
    return ", ".join(f"{mark} {lane}" for lane, mark in marks.items())
