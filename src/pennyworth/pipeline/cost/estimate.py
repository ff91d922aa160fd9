"""What a stack costs, from the values of its parameters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pennyworth.pipeline.cost.prices import Prices, load_prices

ALARMS = 3
"""That template.yaml makes where it is monitored; one more, for the certificate, with a domain."""

DASHBOARDS = 1

_DEFAULTS = {"MemorySize": "1024", "Architecture": "arm64", "Monitoring": "no", "LogRetentionDays": "30"}
"""Where a parameter is not given: of a stack that was made before there was one, what it has."""

_GB = 1_000_000_000
_MIB_A_GB = (
    1024  # Lambda's GB are GiB: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
)
_API_INCREMENT = 10_000_000  # bytes of a streamed answer that count as one request
_STREAMED_FREE = 6_000_000  # bytes of each answer
_LOGS_COMPRESSED = 0.15  # of their size, by CloudWatch's own pricing examples
_DAYS_A_MONTH = 30
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """A request, for what it uses."""

    seconds: float
    """From the function's start to the answer's last byte, all of which is paid."""
    answer_bytes: int
    logged_bytes: int


TYPICAL = Request(seconds=10.0, answer_bytes=100_000, logged_bytes=1_000)
"""A streamed chat answer of some 500 tokens, each in an event of its own; one line of ours and three of Lambda's."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is paid for."""

    name: str
    usd: float
    """Without what is free."""
    note: str = ""
    free: bool = False
    """Whether an account has that much for nothing each month, if its other stacks leave it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a stack costs at its settings."""

    settings: str
    """Those that decide it, in words."""
    region: str
    """The region whose prices these are."""
    home_prices: bool
    """Whether they are another region's, for want of the stack's own."""
    read: date
    """When the prices were read."""
    request: Request
    at_rest: tuple[Item, ...]
    """Each month, whether anybody calls or not."""
    in_use: tuple[Item, ...]
    """For a thousand such requests."""
    free_requests: int
    """So many of them a month cost nothing of Lambda, by its free tier."""
    free_usd: float
    """What Lambda's free tier is worth each month at these settings, if it is used up."""

    @property
    def month(self) -> float:
        """US dollars a month at rest, where the account's free tier is left for it."""
        return sum(item.usd for item in self.at_rest if not item.free)

    @property
    def thousand(self) -> float:
        """US dollars for a thousand requests, beyond any free tier."""
        return sum(item.usd for item in self.in_use)


def estimate(
    parameters: Mapping[str, str],
    region: str,
    *,
    request: Request = TYPICAL,
    package_bytes: int | None = None,
) -> Estimate:
    """What a stack costs.

    Args:
        parameters: the stack's parameters and their values, such as MemorySize; others are ignored.
        region: the AWS region.
        request: what an average request is taken to be.
        package_bytes: the size of the function's package, where it is known.
    """
    given = _DEFAULTS | {name: value for name, value in parameters.items() if value}
    listed = load_prices(region)
    gigabytes = float(given["MemorySize"]) / _MIB_A_GB
    architecture, domain = given["Architecture"], bool(given.get("BaseDomain"))
    a_second = listed.usd[f"lambda-seconds-{architecture}"]
    used_seconds = request.seconds * gigabytes
    free_requests = math.floor(
        min(listed.free["lambda-seconds"] / used_seconds, listed.free["lambda-requests"])
    )
    return Estimate(
        settings=f"{given['MemorySize']} MiB, {architecture}",
        region=listed.region,
        home_prices=listed.region != region,
        read=listed.read,
        request=request,
        at_rest=tuple(_list_items_at_rest(listed, domain, given["Monitoring"] == "yes", package_bytes)),
        in_use=tuple(
            _list_items_in_use(listed, request, used_seconds * a_second, int(given["LogRetentionDays"]))
        ),
        free_requests=free_requests,
        free_usd=free_requests * (used_seconds * a_second + listed.usd["lambda-requests"] / 1e6),
    )


def _list_items_at_rest(
    listed: Prices, domain: bool, monitored: bool, package_bytes: int | None
) -> list[Item]:
    items = []
    if package_bytes is not None:
        stored = listed.usd["packages"] * package_bytes / _GB
        items.append(Item("Package in S3", stored, f"{package_bytes / 1e6:.0f} MB, for each version kept"))
    if domain:
        items.append(
            Item("Hosted zone", listed.usd["hosted-zones"], "shared by all that is below the domain")
        )
    if monitored:
        alarms = ALARMS + domain
        items += [
            _price_monitoring("Alarms", "alarms", alarms, listed),
            _price_monitoring("Dashboard", "dashboards", DASHBOARDS, listed),
        ]
    return items


def _price_monitoring(name: str, price: str, count: int, listed: Prices) -> Item:
    free = listed.free[price]
    note = f"{count} of the {free:.0f} that an account has for nothing" if count <= free else f"{count}"
    return Item(name, count * listed.usd[price], note, free=count <= free)


def _list_items_in_use(listed: Prices, request: Request, function_usd: float, days: int) -> list[Item]:
    usd = listed.usd
    counted = max(1, math.ceil(request.answer_bytes / _API_INCREMENT))
    streamed = max(0, request.answer_bytes - _STREAMED_FREE) / _GB
    logged = request.logged_bytes / _GB
    kept = logged * _LOGS_COMPRESSED * days / _DAYS_A_MONTH
    each = [
        ("Lambda, time", function_usd),
        ("Lambda, requests", usd["lambda-requests"] / 1e6),
        ("Lambda, streaming beyond 6 MB", streamed * usd["lambda-streamed"]),
        ("API Gateway", counted * usd["api-requests"] / 1e6),
        ("Data to the internet", request.answer_bytes / _GB * usd["transfer"]),
        ("Logs", logged * usd["logs"] + kept * usd["logs-kept"]),
    ]
    notes = {"Logs": f"kept {days} days"}
    return [Item(name, price * _THOUSAND, notes.get(name, "")) for name, price in each if price]
