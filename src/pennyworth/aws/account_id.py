"""Whose account this is, and the ARNs of what a deployment has to do with in it."""

from dataclasses import dataclass

import boto3


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account."""

    partition: str
    """aws, aws-cn or aws-us-gov."""
    id: str

    @classmethod
    def of_caller(cls, region: str) -> "Account":
        """The account that the environment's credentials are for."""
        told = boto3.client("sts", region_name=region).get_caller_identity()
        return cls(told["Arn"].split(":")[1], told["Account"])

    def role(self, name: str) -> str:
        """A role's ARN; one that is given as an ARN stays as it is."""
        return name if name.startswith("arn:") else f"arn:{self.partition}:iam::{self.id}:role/{name}"

    def policy(self, name: str) -> str:
        """A managed policy's ARN; one that is given as an ARN stays as it is."""
        return name if name.startswith("arn:") else f"arn:{self.partition}:iam::{self.id}:policy/{name}"
