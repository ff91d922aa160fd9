"""An account as it stands after the setting-up: its names, its documents, and who is judged by which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pennyworth.iam.passrole.document import rewrite
from pennyworth.iam.passrole.roles import Role as Passed
from pennyworth.iam.policy.documents import DEPLOYMENT, render_document
from tests.names import DEPLOY_ROLE, VIEW_ROLE

from .evaluator import Context, Decision, Document, Evaluator

ACCOUNT = "123456789012"
REGION = "us-west-2"
STACK = "endpoint"
REPOSITORY = "owner/repository"
SUBJECT = f"repo:{REPOSITORY}:ref:refs/heads/main"
PULL_REQUEST = f"repo:{REPOSITORY}:pull_request"

VALUES: Mapping[str, str | Sequence[str]] = {
    "ACCOUNT_ID": ACCOUNT,
    "REGION": REGION,
    "STACK_NAME": STACK,
    "BASE_DOMAIN": "example.com",
    "HOSTED_ZONE_ID": "Z0123456789ABCDEFGHIJ",
    "SUBJECTS": [SUBJECT],
}

EVERYTHING: Document = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def arn(service: str, resource: str, *, region: str = REGION, account: str = ACCOUNT) -> str:
    """An ARN in this account and region; both empty where the service has it so."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def iam(resource: str) -> str:
    return arn("iam", resource, region="")


STACK_BOUNDARY = iam("policy/pennyworth-stack-boundary")
DEPLOY_BOUNDARY = iam("policy/pennyworth-deploy-boundary")
OWN_POLICY = iam("policy/pennyworth-deployment")
OWN_ROLE = iam(f"role/{DEPLOY_ROLE}")
VIEW_ROLE_ARN = iam(f"role/{VIEW_ROLE}")
FUNCTION_ROLE = iam(f"role/{STACK}-FunctionRole-1A2B3C")
ROLLOUT_ROLE = iam(f"role/{STACK}-RolloutRole-1A2B3C")
LAMBDA, CODEDEPLOY = "lambda.amazonaws.com", "codedeploy.amazonaws.com"


@dataclass(frozen=True)
class Role:
    """Somebody whom the evaluator judges."""

    arn: str
    identity: Sequence[Document] = field(repr=False)
    boundary: Document = field(repr=False)
    evaluator: Evaluator = field(repr=False)

    def decide(self, action: str, resource: str, context: Context | None = None, **more: Any) -> Decision:
        """Judge a call of this role's. As Evaluator.decide."""
        return self.evaluator.decide(
            self.arn,
            action,
            resource,
            context,
            identity=self.identity,
            boundaries=[self.boundary],
            **more,
        )


def deployment(values: Mapping[str, str | Sequence[str]] = VALUES, *more: str) -> list[Document]:
    """The deploy role's policies.

    Args:
        values: the account's names.
        more: documents besides, such as first-deployment.
    """
    return [render_document(name, values) for name in (*DEPLOYMENT, *more)]


def tightened(values: Mapping[str, str | Sequence[str]] = VALUES, *, gradual: bool = False) -> list[Document]:
    """The deploy role's policies once the stack's roles are named one by one.

    Args:
        values: the account's names.
        gradual: whether the stack has the role of a gradual rollout.
    """
    roles = [Passed(FUNCTION_ROLE, (LAMBDA,))]
    roles += [Passed(ROLLOUT_ROLE, (CODEDEPLOY,))] if gradual else []
    first, *others = deployment(values)
    return [rewrite(first, roles), *others]


def view_role(evaluator: Evaluator, values: Mapping[str, str | Sequence[str]] = VALUES) -> Role:
    """The role that only looks."""
    document = render_document("view", values)
    return Role(VIEW_ROLE_ARN, [document], document, evaluator)


def deploy_role(
    evaluator: Evaluator,
    values: Mapping[str, str | Sequence[str]] = VALUES,
    *,
    identity: Sequence[Document] | None = None,
) -> Role:
    """The deploy role.

    Args:
        values: the account's names, for the documents.
        identity: other policies than its own, such as it might give itself.
    """
    own = deployment(values) if identity is None else identity
    return Role(OWN_ROLE, own, render_document("deploy-boundary", values), evaluator)
