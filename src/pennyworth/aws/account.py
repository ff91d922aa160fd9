"""An AWS account, accessed with the caller's credentials."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError

from pennyworth.aws.errors import LOG_IN, get_or_none
from pennyworth.aws.github_oidc import ISSUER
from pennyworth.aws.snapshot import Snapshot
from pennyworth.aws.snapshot import describe_stack as describe
from pennyworth.host.errors import OperationFailed
from pennyworth.host.regions import find_region

HOME_REGIONS = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
"""The region in which each partition's IAM reports its changes: https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html"""

_PATIENCE = Config(connect_timeout=10, read_timeout=60, retries={"total_max_attempts": 3, "mode": "standard"})


class Unprepared(OperationFailed):
    """The account can't be used yet; the message says what to do."""


def log_in(region: str) -> tuple[boto3.Session, Mapping[str, str]]:
    """Ask AWS whose credentials the environment has. Needs no permission.

    Args:
        region: the region to ask in.
    Returns:
        the session, and the account and the caller's ARN as GetCallerIdentity returns them.
    Raises:
        Unprepared: there are no credentials, or AWS refuses them; the message says how to log in.
    """
    try:
        session = boto3.Session(region_name=region)
        return session, session.client("sts", config=_PATIENCE).get_caller_identity()
    except (HTTPClientError, EndpointConnectionError) as failure:
        raise Unprepared(f"AWS can't be reached: {failure}") from failure
    except ClientError as failure:
        raise Unprepared(f"AWS refuses your credentials: {str(failure).rstrip('.')}. {LOG_IN}") from failure
    except BotoCoreError as failure:
        raise Unprepared(f"You are not logged in to AWS: {str(failure).rstrip('.')}. {LOG_IN}") from failure


class Account:
    """An account, with the endpoint's region as the default region."""

    def __init__(self, region: str | None = None) -> None:
        """
        Args:
            region: the endpoint's region. Default: see find_region.
        Raises:
            Unprepared: there is no region, or there are no valid credentials.
        """
        self.region = region or find_region()
        if not self.region:
            raise Unprepared("--region is missing: give it, or set AWS_REGION")
        self._session, identity = log_in(self.region)
        self.id: str = identity["Account"]
        self.caller: str = identity["Arn"]
        self.partition = self.caller.split(":")[1]
        self.issuer = ISSUER
        """The issuer of the tokens of the GitHub that deploys."""
        self.home = HOME_REGIONS.get(self.partition, self.region)

    @cache  # noqa: B019 - as long-lived as the command
    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client, by default for the account's region."""
        return self._session.client(service, region_name=region or self.region, config=_PATIENCE)

    def build_role_arn(self, name: str) -> str:
        """Build a role's ARN from its name. An ARN is returned unchanged."""
        return self._arn("role", name)

    def build_policy_arn(self, name: str) -> str:
        """Build a managed policy's ARN from its name. An ARN is returned unchanged."""
        return self._arn("policy", name)

    @property
    def provider(self) -> str:
        """The ARN of the identity provider for GitHub, whether it exists or not."""
        return self._arn("oidc-provider", self.issuer)

    def fetch_client_ids(self) -> list[str] | None:
        """Fetch the audiences that the identity provider for GitHub accepts; None if there is no provider."""
        found = get_or_none(
            self.client("iam").get_open_id_connect_provider, OpenIDConnectProviderArn=self.provider
        )
        return list(found["ClientIDList"]) if found else None

    def describe_stack(self, name: str, region: str | None = None) -> Snapshot | None:
        """Fetch a stack's current state; None if the stack does not exist."""
        return describe(self.client("cloudformation", region), name)

    def makes_provider(self, stack: str) -> bool:
        """Check whether a bootstrap stack created the identity provider.

        Args:
            stack: the bootstrap stack's name.
        """
        return self.describe_stack(stack) is not None and any(
            resource["ResourceType"] == "AWS::IAM::OIDCProvider"
            and resource["ResourceStatus"] != "DELETE_COMPLETE"
            for resource in self.client("cloudformation").describe_stack_resources(StackName=stack)[
                "StackResources"
            ]
        )

    def find_hosted_zones(self, domain: str) -> list[tuple[str, str]]:
        """Find the public hosted zones of a domain and its parents: IDs and names, the longest name first."""
        names = domain.split(".")
        suffixes = [".".join(names[start:]) for start in range(len(names) - 1)]
        found = []
        for page in self.client("route53").get_paginator("list_hosted_zones").paginate():
            for zone in page["HostedZones"]:
                name = zone["Name"].rstrip(".")
                if name in suffixes and not zone["Config"].get("PrivateZone"):
                    found.append((zone["Id"].rpartition("/")[2], name))
        return sorted(found, key=lambda zone: -len(zone[1]))

    def _arn(self, kind: str, name: str) -> str:
        return name if name.startswith("arn:") else f"arn:{self.partition}:iam::{self.id}:{kind}/{name}"
