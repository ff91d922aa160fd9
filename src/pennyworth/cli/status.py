"""Show what is deployed, where, and whether it is healthy.

    pennyworth status
    PENNYWORTH_API_KEY=sk-... pennyworth status --json

Shows the stack's state and last deployment, versions, the base URL, models, the number of API keys (never a key),
alarms and links. The models need an API key in PENNYWORTH_API_KEY. It runs the quick checks of `pennyworth health`,
which also finds drift and changed permissions. The permissions in policies/view.json are enough, but for the number of
keys (ssm:GetParametersByPath). The exit status is 0 if the endpoint is healthy, 1 if not, and 2 if that can't be told.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from pennyworth.cli import stack
from pennyworth.cli.output import json_option, print_json, print_result
from pennyworth.host.progress import note, say, step

if TYPE_CHECKING:
    from pennyworth.checks.health.status import Status

FAILED = 2
"""The exit status if the endpoint can't be looked at."""
_WIDTH = 14


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    stack.options(parser)
    json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Show the status. Returns 0 if the endpoint is healthy, else 1."""
    stack.connect(options)
    from pennyworth.checks.finding import Verdict, as_json, line
    from pennyworth.checks.health.examination import Inputs, connect
    from pennyworth.checks.health.status import fetch_status
    from pennyworth.gateway.credentials import read_api_keys

    subject = connect(
        Inputs(
            stack=options.stack_name,
            region=options.region,
            keys=list(read_api_keys(os.environ.get("PENNYWORTH_API_KEY", "")).keys),
            emulator=os.environ.get("AWS_ENDPOINT_URL", ""),
        )
    )
    with step(f"looking at {options.stack_name}"):
        status = fetch_status(subject, note)
    if options.json:
        print_json(asdict(status) | {"healthy": status.healthy, "findings": as_json(status.findings)})
    else:
        for name, value in _list_rows(status):
            print_result(f"{name:<{_WIDTH}} {value}".rstrip())
        unwell = [finding for finding in status.findings if finding.verdict != Verdict.OK]
        print_result("\n".join(["", *map(line, unwell)]) if unwell else "")
    say(f"The endpoint is {status.verdict}.")
    return 0 if status.healthy else 1


def _list_rows(status: "Status") -> Iterator[tuple[str, str]]:
    """Yield what to show: names and values."""
    yield "stack", f"{status.stack} in {status.region}, account {status.account}"
    if not status.state:
        yield "state", "does not exist"
        return
    yield "state", status.state
    if status.deployed:
        yield "deployed", f"{status.deployed.astimezone():%Y-%m-%d %H:%M}"
    rolled_back = status.deployed_version not in (None, status.version)
    yield (
        "version",
        f"{status.version or '-'}" + (f" (deployed: {status.deployed_version})" if rolled_back else ""),
    )
    yield "software", status.software or "-"
    yield "configuration", status.configuration_hash or "-"
    if status.commit:
        yield "package", f"{status.package}, from commit {status.commit[:12]}, locks {status.locks}"
    yield "base URL", status.base_url or "-"
    if status.domain:
        yield "API URL", status.api_url or "-"
    if status.models is None:
        yield "models", f"(provider {status.provider or '-'}; set PENNYWORTH_API_KEY to list them)"
    else:
        yield "models", ", ".join(status.models)
    yield "API keys", "unknown" if status.api_keys is None else str(status.api_keys)
    yield "alarms", ", ".join(f"{name} {state}" for name, state in sorted(status.alarms.items())) or "none"
    for name, url in status.links.items():
        if url and name != "url":
            yield name, url
