"""Calls of the demo to the local AWS. Runs in the environment `tools`, which has boto3.

python aws.py zone DOMAIN       create a hosted zone for a domain, and print its ID
python aws.py outputs STACK     print a stack's outputs as JSON
"""

import json
import sys
import uuid
from collections.abc import Callable

import boto3


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


if __name__ == "__main__":
    ask: dict[str, Callable[[str], object]] = {"zone": zone, "outputs": outputs, "log": log}
    print(json.dumps(ask[sys.argv[1]](sys.argv[2])))
