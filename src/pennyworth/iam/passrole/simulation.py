"""Ask IAM's policy simulator which roles a principal can pass to which services.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pennyworth.aws.errors import is_absent
from pennyworth.host.errors import OperationFailed
from pennyworth.iam.passrole.document import ACTION, SERVICE_KEY
from pennyworth.iam.passrole.roles import Role

_OTHER_SERVICES = ("codedeploy.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com")
"""Services to test each role with, unless its trust policy names them."""

_SAMPLE = "0SAMPLE0000"
"""Replaces the random end of a role's name, or stands for a role that is not part of the stack."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A role and a service for which the simulator's result differs from the expected one."""

    arn: str
    service: str
    because: str
    """The boundary that denies it, or the policies that allow it."""


@dataclass(frozen=True, slots=True)
class Deviations:
    """All deviations from the expected results."""

    refused: list[Deviation]
    """Denied, but expected to be allowed."""
    allowed: list[Deviation]
    """Allowed, but expected to be denied."""


class Simulation:
    """IAM's policy simulator for one principal."""

    def __init__(self, principal: str, iam: Any) -> None:
        """
        Args:
            principal: the deploy role's ARN.
            iam: the boto3 client for IAM.
        """
        self._principal = principal
        self._iam = iam

    def simulate(self, roles: Iterable[Role], prefix: str) -> Deviations:
        """Simulate passing each role to its services and to others, and passing a role that does not exist.

        Args:
            roles: the roles that the principal should be able to pass.
            prefix: the prefix of the ARNs of the stack's roles.
        Returns:
            the deviations from the expected results.
        Raises:
            OperationFailed: the principal does not exist.
        """
        roles = list(roles)
        refused = [
            finding
            for role in roles
            for service in role.services
            if not (finding := self._try(role.arn, service))[0]
        ]
        allowed = [
            finding
            for arn, service in _list_unintended(roles, prefix)
            if (finding := self._try(arn, service))[0]
        ]
        return Deviations([finding for _, finding in refused], [finding for _, finding in allowed])

    def _try(self, arn: str, service: str) -> tuple[bool, Deviation]:
        """Simulate passing a role to a service. Return whether it is allowed, and why."""
        try:
            # one resource per call, because the simulator merges the results of several
            (result,) = self._iam.simulate_principal_policy(
                PolicySourceArn=self._principal,
                ActionNames=[ACTION],
                ResourceArns=[arn.replace("*", _SAMPLE)],
                ContextEntries=[
                    {"ContextKeyName": SERVICE_KEY, "ContextKeyValues": [service], "ContextKeyType": "string"}
                ],
            )["EvaluationResults"]
        except ClientError as failure:
            if not is_absent(failure):
                raise
            raise OperationFailed(
                f"There is no role {self._principal.rpartition('/')[2]}",
                f"{self._principal} does not exist. Give the name of the deploy role.",
            ) from failure
        within = result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True)
        sources = ", ".join(sorted({one["SourcePolicyId"] for one in result.get("MatchedStatements", [])}))
        because = sources if within else "the deploy role's permissions boundary does not allow it"
        return result["EvalDecision"] == "allowed", Deviation(arn, service, because)


def _list_unintended(roles: list[Role], prefix: str) -> Iterator[tuple[str, str]]:
    for role in roles:
        for service in _OTHER_SERVICES:
            if service not in role.services:
                yield role.arn, service
    for service in sorted({service for role in roles for service in role.services}):
        yield f"{prefix}{_SAMPLE}", service
