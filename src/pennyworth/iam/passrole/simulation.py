"""What a role may hand to which service, by IAM's own judgement: all its policies and its boundary together.

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
"""A role is tried with those of these that it is not for: the two that the stack's roles are for, and a stranger."""

_SAMPLE = "0SAMPLE0000"
"""What stands for a role's random end, or for a role that is none of the stack's."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A role that can or can't be handed to a service, where the opposite was meant."""

    arn: str
    service: str
    because: str
    """The boundary, or the statements' policies that allow it."""


@dataclass(frozen=True, slots=True)
class Deviations:
    """What differs from what was meant."""

    refused: list[Deviation]
    """Meant to be allowed."""
    allowed: list[Deviation]
    """Not meant to be."""


class Simulation:
    """IAM's simulator for one principal."""

    def __init__(self, principal: str, iam: Any) -> None:
        """
        Args:
            principal: the deploy role's ARN.
            iam: boto3's client.
        """
        self._principal = principal
        self._iam = iam

    def simulate(self, roles: Iterable[Role], prefix: str) -> Deviations:
        """Try every role with every service that it is for, with some that it is not for, and a role of nobody's.

        Args:
            roles: those that may be handed on, and to whom.
            prefix: the ARN that every role of the stack begins with.
        Raises:
            OperationFailed: there is no such principal.
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
        """Whether a role can be handed to a service, and why."""
        try:
            # one resource a call: with several the simulator tells of all of them together
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
                f"{self._principal}, whose PassRole is to be tried, is not there. Name the deploy role.",
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
