"""Estimate what a stack costs, from the values of its parameters."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from pennyworth.pipeline.cost.prices import Prices, load_prices

ALARMS = 3
"""The number of alarms in template.yaml with monitoring. A custom domain adds one, for the certificate."""

DASHBOARDS = 1

_DEFAULTS = {
    "MemorySize": "1024",
    "Architecture": "arm64",
    "Monitoring": "no",
    "LogRetentionDays": "30",
    "ProvisionedConcurrency": "0",
    "KeepWarm": "0",
}
"""Values of parameters that are not given, because the stack was deployed before they existed."""

_GB = 1_000_000_000
_MIB_A_GB = (
    1024  # Lambda's GB are GiB: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
)
_API_INCREMENT = 10_000_000  # bytes of a streamed response that count as one request
_STREAMED_FREE = 6_000_000  # bytes of each response
_LOGS_COMPRESSED = 0.15  # compression ratio in CloudWatch's pricing examples
_DAYS_A_MONTH = 30
_SECONDS_A_MONTH = 730 * 3600  # as AWS counts: https://docs.aws.amazon.com/pricing-calculator
_WARMING_SECONDS = 0.01  # what a call that keeps the function warm takes, rounded up
_ACCESS_LOG_BYTES = 400  # a line of template.yaml's format
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """The resources that a request uses."""

    seconds: float
    """The billed duration: from the function's start to the last byte of the response."""
    answer_bytes: int
    logged_bytes: int


TYPICAL = Request(seconds=10.0, answer_bytes=100_000, logged_bytes=1_000)
"""A streamed chat response of about 500 tokens, one event each; one log line of the gateway and three of Lambda."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the bill."""

    name: str
    usd: float
    """The cost in US dollars, ignoring the free tier."""
    note: str = ""
    free: bool = False
    """Whether the free tier covers it, unless the account's other stacks use it up."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a stack costs."""

    settings: str
    """The settings that determine the cost, as text."""
    region: str
    """The region of the prices."""
    home_prices: bool
    """Whether these are the home region's prices because those of the stack's region are unknown."""
    read: date
    """The date of the prices."""
    request: Request
    at_rest: tuple[Item, ...]
    """The items per month, without any requests."""
    in_use: tuple[Item, ...]
    """The items for 1,000 requests."""
    free_requests: int
    """The number of requests per month that Lambda's free tier covers."""
    free_usd: float
    """The value per month of Lambda's free tier, if it is used up."""

    @property
    def month(self) -> float:
        """US dollars per month without any requests, after the free tier."""
        return sum(item.usd for item in self.at_rest if not item.free)

    @property
    def thousand(self) -> float:
        """US dollars for 1,000 requests, without the free tier."""
        return sum(item.usd for item in self.in_use)


def estimate(
    parameters: Mapping[str, str],
    region: str,
    *,
    request: Request = TYPICAL,
    package_bytes: int | None = None,
) -> Estimate:
    """Estimate what a stack costs.

    Args:
        parameters: the stack's parameters, such as MemorySize. Unknown ones are ignored.
        region: the AWS region.
        request: an average request.
        package_bytes: the size of the function's package, if it is known.
    Returns:
        the estimate.
    """
    given = _DEFAULTS | {name: value for name, value in parameters.items() if value}
    listed = load_prices(region)
    gigabytes = float(given["MemorySize"]) / _MIB_A_GB
    architecture, domain = given["Architecture"], bool(given.get("BaseDomain"))
    provisioned = given["ProvisionedConcurrency"] != "0"
    a_second = listed.usd[f"lambda-{'provisioned-' if provisioned else ''}seconds-{architecture}"]
    used_seconds = request.seconds * gigabytes
    # the free tier leaves out functions with provisioned concurrency: https://aws.amazon.com/lambda/pricing/
    free_seconds = 0 if provisioned else listed.free["lambda-seconds"]
    free_requests = math.floor(min(free_seconds / used_seconds, listed.free["lambda-requests"]))
    return Estimate(
        settings=f"{given['MemorySize']} MiB, {architecture}",
        region=listed.region,
        home_prices=listed.region != region,
        read=listed.read,
        request=request,
        at_rest=(
            *_list_items_at_rest(listed, domain, given["Monitoring"] == "yes", package_bytes),
            *_list_optional_items_at_rest(listed, given, gigabytes),
        ),
        in_use=(
            *_list_items_in_use(listed, request, used_seconds * a_second, int(given["LogRetentionDays"])),
            *_list_optional_items_in_use(listed, given, gigabytes),
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
        items.append(Item("Package in S3", stored, f"{package_bytes / 1e6:.0f} MB, per version kept"))
    if domain:
        items.append(Item("Hosted zone", listed.usd["hosted-zones"], "shared by everything in the domain"))
    if monitored:
        alarms = ALARMS + domain
        items += [
            _price_monitoring("Alarms", "alarms", alarms, listed),
            _price_monitoring("Dashboard", "dashboards", DASHBOARDS, listed),
        ]
    return items


def _list_optional_items_at_rest(
    listed: Prices, given: Mapping[str, str], gigabytes: float
) -> Iterator[Item]:
    """List what parameters cost that cost nothing at their defaults."""
    usd, architecture = listed.usd, given["Architecture"]
    if ready := int(given["ProvisionedConcurrency"]):
        price = usd[f"lambda-provisioned-{architecture}"] * ready * gigabytes * _SECONDS_A_MONTH
        yield Item("Provisioned concurrency", price, f"{ready}, all day")
    if given.get("SnapStart") == "yes":
        price = usd["lambda-snapshots"] * gigabytes * _SECONDS_A_MONTH
        yield Item("SnapStart's snapshot", price, "per version kept")
    if minutes := int(given["KeepWarm"]):
        calls = _DAYS_A_MONTH * 24 * 60 // minutes
        seconds = calls * _WARMING_SECONDS * gigabytes
        price = seconds * usd[f"lambda-seconds-{architecture}"] + calls * usd["lambda-requests"] / 1e6
        yield Item("Calls to keep warm", price, f"{calls:,}", free=True)
    if given.get("KmsKeyArn"):
        yield Item("KMS key", usd["kms-keys"], "yours, shared by everything that uses it")
    if given.get("WebAclArn"):
        yield Item("Web ACL", usd["web-acls"], "yours, without its rules")


def _list_optional_items_in_use(listed: Prices, given: Mapping[str, str], gigabytes: float) -> Iterator[Item]:
    """List what requests cost with parameters that cost nothing at their defaults."""
    usd = listed.usd
    if given.get("SnapStart") == "yes":
        yield Item("SnapStart", usd["lambda-restores"] * gigabytes * _THOUSAND, "if each is a cold start")
    if given.get("WebAclArn"):
        yield Item("Web ACL", usd["web-acl-requests"] / 1e6 * _THOUSAND)
    if given.get("AccessLogs") == "yes":
        yield Item("Access logs", _ACCESS_LOG_BYTES / _GB * usd["logs"] * _THOUSAND)
    if given.get("Tracing") == "yes":
        yield Item("X-Ray", usd["traces"] / 1e6 * _THOUSAND, "100,000 traces a month are free")


def _price_monitoring(name: str, price: str, count: int, listed: Prices) -> Item:
    free = listed.free[price]
    note = f"{count} of {free:.0f} in the account's free tier" if count <= free else f"{count}"
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
