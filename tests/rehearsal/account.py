"""What happened in the account that a rehearsal deploys to, seen with its own rights."""

from typing import Any

import boto3

from pennyworth.local.aws.server import LocalAws
from pennyworth.local.rehearsal.repository import REGION


def client(aws: LocalAws, service: str) -> Any:
    """A client for the account's root."""
    environ = aws.environ(REGION)
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=aws.endpoint,
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )
