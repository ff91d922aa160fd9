"""AWS's list prices, read from prices.toml."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True)
class Prices:
    """A region's prices."""

    region: str
    """The region that they hold for: the one that was asked for, or the table's home where that one is not known."""
    read: date
    """The day on which they were read."""
    usd: dict[str, float]
    """By name, in the unit that the table says."""
    free: dict[str, float]
    """What an account has for nothing each month, by the same names."""


def load_prices(region: str) -> Prices:
    """A region's prices, or home's where the table does not know the region."""
    table = _load_table()
    known = region if region in table["regions"] else table["home"]
    return Prices(
        known,
        table["read"],
        {
            name: float(entry.get("regions", {}).get(known, entry["usd"]))
            for name, entry in table["prices"].items()
        },
        {name: float(amount) for name, amount in table["free"].items()},
    )


@cache
def _load_table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))
