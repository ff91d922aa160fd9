"""What the stack costs: sums that anybody can do by hand, and the table that they come from."""

import json
import re
from datetime import date
from typing import Any

import pytest

from pennyworth.aws.source_template import SourceTemplate
from pennyworth.host.places import ROOT
from pennyworth.pipeline.cost import Estimate, Request, as_markdown, estimate
from pennyworth.pipeline.cost.estimate import ALARMS, DASHBOARDS
from pennyworth.pipeline.cost.prices import _load_table, load_prices

OREGON = "us-west-2"
PLAIN = {"MemorySize": "1024", "Architecture": "arm64", "Monitoring": "no", "LogRetentionDays": "30"}


def items(estimated: Estimate) -> dict[str, float]:
    return {item.name: item.usd for item in (*estimated.at_rest, *estimated.in_use)}


def test_ten_seconds_at_a_gigabyte_cost_what_lambda_says() -> None:
    found = items(estimate(PLAIN, OREGON))
    assert found["Lambda, time"] == pytest.approx(1000 * 10 * 0.0000133334)
    assert found["Lambda, requests"] == pytest.approx(0.0002)
    assert found["API Gateway"] == pytest.approx(0.0035)
    assert found["Data to the internet"] == pytest.approx(0.0001 * 0.09 * 1000)
    assert found["Logs"] == pytest.approx(1000 * 1e-6 * (0.50 + 0.15 * 0.03))


def test_memory_and_architecture_decide_what_time_costs() -> None:
    small = items(estimate(PLAIN | {"MemorySize": "256"}, OREGON))
    other = items(estimate(PLAIN | {"Architecture": "x86_64"}, OREGON))
    assert small["Lambda, time"] == pytest.approx(0.25 * 0.133334)
    assert other["Lambda, time"] == pytest.approx(0.166667)
    assert small["API Gateway"] == other["API Gateway"]


def test_the_free_tier_covers_what_it_says() -> None:
    now = estimate(PLAIN, OREGON)
    assert now.free_requests == 40_000  # 400,000 GB-seconds by ten of one GB
    assert now.free_usd == pytest.approx(400_000 * 0.0000133334 + 0.04 * 0.20)
    short = estimate(PLAIN, OREGON, request=Request(0.1, 1000, 0))
    assert short.free_requests == 1_000_000  # the requests end before the seconds


def test_a_long_answer_counts_as_several_requests_and_pays_for_its_bytes() -> None:
    found = items(estimate(PLAIN, OREGON, request=Request(60, 25_000_000, 0)))
    assert found["API Gateway"] == pytest.approx(3 * 0.0035)
    assert found["Lambda, streaming beyond 6 MB"] == pytest.approx(0.019 * 0.008 * 1000)
    assert "Logs" not in found


def test_nothing_at_rest_without_domain_and_monitoring() -> None:
    now = estimate(PLAIN, OREGON)
    assert now.at_rest == () and now.month == 0


def test_what_is_within_the_free_tier_is_shown_and_not_counted() -> None:
    now = estimate(
        PLAIN | {"Monitoring": "yes", "BaseDomain": "example.com"}, OREGON, package_bytes=40_000_000
    )
    found = items(now)
    assert found["Alarms"] == pytest.approx(0.40)
    assert found["Dashboard"] == 3
    assert now.month == pytest.approx(0.50 + 0.04 * 0.023)
    assert items(estimate(PLAIN | {"Monitoring": "yes"}, OREGON))["Alarms"] == pytest.approx(0.30)


def test_environments_that_are_kept_ready_cost_by_the_hour_and_less_while_they_answer() -> None:
    ready = estimate(PLAIN | {"MemorySize": "512", "ProvisionedConcurrency": "2"}, OREGON)
    assert ready.month == pytest.approx(2 * 0.5 * 730 * 3600 * 0.0000033334)
    assert items(ready)["Lambda, time"] == pytest.approx(1000 * 10 * 0.5 * 0.0000077778)
    assert ready.free_requests == 0
    other = estimate(PLAIN | {"Architecture": "x86_64", "ProvisionedConcurrency": "1"}, OREGON)
    assert other.month == pytest.approx(730 * 3600 * 0.0000041667)


def test_snapshots_cost_while_they_are_kept_and_at_each_start() -> None:
    snapped, plain = estimate(PLAIN | {"SnapStart": "yes"}, OREGON), estimate(PLAIN, OREGON)
    assert snapped.month == pytest.approx(730 * 3600 * 0.0000015046)
    assert snapped.thousand - plain.thousand == pytest.approx(1000 * 0.0001397998)


def test_calls_that_keep_the_function_warm_are_within_the_free_tier() -> None:
    warm = estimate(PLAIN | {"KeepWarm": "5"}, OREGON)
    assert items(warm)["Calls to keep warm"] == pytest.approx(8640 * (0.01 * 0.0000133334 + 0.2e-6))
    assert warm.month == 0
    assert "Calls to keep warm (8,640) | $0.0029 ¹ |" in as_markdown(warm)


def test_what_a_reviewer_asks_for_says_what_it_costs() -> None:
    asked = {"KmsKeyArn": "arn:key", "WebAclArn": "arn:acl", "AccessLogs": "yes", "Tracing": "yes"}
    asked_for = estimate(PLAIN | asked, OREGON)
    assert asked_for.month == pytest.approx(1 + 5)
    plain = estimate(PLAIN, OREGON)
    assert asked_for.thousand - plain.thousand == pytest.approx(0.0006 + 1000 * 400e-9 * 0.50 + 0.005)


def test_regions_have_their_own_prices_and_unknown_ones_are_said() -> None:
    tokyo = estimate(PLAIN, "ap-northeast-1")
    assert items(tokyo)["API Gateway"] == pytest.approx(0.00425)
    assert not tokyo.home_prices
    nowhere = estimate(PLAIN, "xx-nowhere-1")
    assert nowhere.region == "us-east-1" and nowhere.home_prices
    assert items(nowhere) == items(estimate(PLAIN, "us-east-1"))
    assert "us-east-1, because those of the stack's region are unknown" in as_markdown(nowhere)


def test_the_region_is_a_secret_and_never_shown() -> None:
    assert OREGON not in as_markdown(estimate(PLAIN, OREGON), estimate(PLAIN | {"MemorySize": "512"}, OREGON))


def test_a_change_shows_both_and_the_difference() -> None:
    shown = as_markdown(estimate(PLAIN, OREGON), estimate(PLAIN | {"MemorySize": "512"}, OREGON))
    assert "| &emsp;Lambda, time | $0.13 | $0.067 | -$0.067 (-50%) |" in shown
    assert "| &emsp;API Gateway | $0.0035 | $0.0035 |  |" in shown
    assert "1024 MiB, arm64 → 512 MiB, arm64" in shown
    same = as_markdown(estimate(PLAIN, OREGON), estimate(PLAIN, OREGON))
    assert "before and after" in same and "(-" not in same


def test_what_comes_new_or_goes_is_a_dash_on_one_side() -> None:
    domain = PLAIN | {"BaseDomain": "example.com"}
    shown = as_markdown(estimate(PLAIN, OREGON), estimate(domain, OREGON))
    assert re.search(r"Hosted zone .*\| none \| \$0\.50 \| \+\$0\.50 \|", shown)
    shown = as_markdown(estimate(PLAIN | {"Monitoring": "yes"}, OREGON), estimate(PLAIN, OREGON))
    assert re.search(r"Alarms .*\| \$0\.30 ¹ \| none \|  \|", shown)
    assert "¹ Not counted" in shown


def test_every_table_row_has_as_many_cells_as_its_head() -> None:
    shown = as_markdown(estimate(PLAIN, OREGON), estimate(PLAIN | {"MemorySize": "256"}, "eu-central-1"))
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {5}


def test_the_prices_name_where_they_can_be_read() -> None:
    table = _load_table()
    assert isinstance(table["read"], date)
    assert table["home"] in table["regions"]
    for name, entry in table["prices"].items():
        assert entry["usd"] > 0, name
        assert entry["offer"] and entry["usage"]
        assert entry["source"].startswith("https://aws.amazon.com/")
        assert set(entry.get("regions", {})) <= set(table["regions"]) - {table["home"]}
    assert set(table["free"]) - {"lambda-seconds"} <= set(table["prices"])
    assert load_prices("eu-west-1").usd["logs"] == 0.57


def test_what_is_watched_is_counted_as_the_template_makes_it() -> None:
    document: dict[str, Any] = SourceTemplate.read(ROOT / "template.yaml").transform({})
    kinds = [resource["Type"] for resource in document["Resources"].values()]
    assert kinds.count("AWS::CloudWatch::Alarm") == ALARMS + 1  # the certificate's
    assert kinds.count("AWS::CloudWatch::Dashboard") == DASHBOARDS
    widgets = json.dumps(document["Resources"]["Dashboard"]).count("AWS/")
    assert widgets <= 50  # metrics: beyond that a dashboard is none of the free ones


def test_the_readme_agrees() -> None:
    said = (ROOT / "README.md").read_text().partition("## What it costs")[2].partition("\n## ")[0]
    said = " ".join(said.split())
    watched = {"Monitoring": "yes", "BaseDomain": "example.com"}
    small, usual = (estimate(PLAIN | watched | {"MemorySize": memory}, OREGON) for memory in ("256", "1024"))
    time = items(usual)["Lambda, time"]
    told = items(usual)
    for figure in (
        f"(${told['Hosted zone']:.2f} a month)",
        f"${told['Alarms'] + told['Dashboard']:.2f} a month",
        f"streams {usual.request.answer_bytes / 1000:.0f} KB in {usual.request.seconds:.0f} seconds",
        f"${small.thousand / 1000:.5f} on the direct lane with 256 MiB",
        f"${usual.thousand / 1000:.5f} with the default 1,024 MiB",
        f"the function's time is ${time / 1000:.5f}",
        f"{small.free_requests:,} and {usual.free_requests:,} of them a month",
    ):
        assert figure in said
