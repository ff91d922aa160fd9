"""Calls of the demo to the local AWS. Runs in the environment `tools`, which has boto3.

python aws.py zone DOMAIN       create a hosted zone for a domain, and print its ID
python aws.py outputs STACK     print a stack's outputs as JSON
python aws.py log GROUP         print the last lines of a log group as JSON
python aws.py follow GROUP MS   print a log group's lines as they come, from a time in Unix milliseconds on
"""

import json
import sys
import time
import uuid
from collections.abc import Callable

import boto3
from botocore.exceptions import HTTPClientError

_POLL_SECONDS = 0.25
_LATE_MS = 1000
"""How far the clocks of lines that are written at the same time may differ."""


def zone(domain: str) -> str:
    """Create a hosted zone.

    Returns:
        its ID, without the prefix /hostedzone/.
    """
    made = boto3.client("route53").create_hosted_zone(Name=domain, CallerReference=uuid.uuid4().hex)
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


def outputs(stack: str) -> dict[str, str]:
    """Return a stack's outputs by name."""
    found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def log(group: str, lines: int = 20) -> str:
    """Return the last lines of a log group."""
    pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    events = [event["message"].rstrip() for page in pages for event in page["events"]]
    return "\n".join(events[-lines:])


def follow(group: str, since: int) -> None:
    """Print a log group's lines as they come, until the local AWS stops.

    Args:
        group: the log group.
        since: the first line's time, in milliseconds since 1970.
    """
    logs = boto3.client("logs")
    printed: dict[tuple[str, ...], int] = {}
    try:
        while True:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
            for event in (event for page in pages for event in page["events"]):
                key = (event["logStreamName"], str(event["timestamp"]), event["message"])
                if key not in printed:
                    printed[key] = event["timestamp"]
                    print(event["message"].rstrip(), flush=True)
            since = max(since, max(printed.values(), default=0) - _LATE_MS)
            printed = {key: at for key, at in printed.items() if at >= since}
            time.sleep(_POLL_SECONDS)
    except HTTPClientError:
        return


if __name__ == "__main__":
    if sys.argv[1] == "follow":
        follow(sys.argv[2], int(sys.argv[3]))
    else:
        ask: dict[str, Callable[[str], object]] = {"zone": zone, "outputs": outputs, "log": log}
        print(json.dumps(ask[sys.argv[1]](sys.argv[2])))
