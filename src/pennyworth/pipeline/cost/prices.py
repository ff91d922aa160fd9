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
    """The region of the prices: the requested one, or the table's home region if that one is unknown."""
    read: date
    """The date of the prices."""
    usd: dict[str, float]
    """The prices by name, in the units of the table."""
    free: dict[str, float]
    """The account's free tier per month, by the same names."""


def load_prices(region: str) -> Prices:
    """Load the prices of a region.

    Args:
        region: the AWS region.
    Returns:
        its prices, or those of the table's home region if it is unknown.
    """
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
