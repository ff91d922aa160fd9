"""Endpoints side by side in an account: nobody's role reaches what belongs to another one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from pennyworth.aws.account import Unprepared
from pennyworth.aws.names import Names
from pennyworth.aws.packages import name_package_bucket
from pennyworth.iam.endpoints import Endpoint, check_new_endpoint
from pennyworth.iam.policy.documents import DEPLOYMENT, render_document
from pennyworth.iam.settings import are_alike

from .account import ACCOUNT, EVERYTHING, LAMBDA, REGION, STACK, VALUES, Role, arn, iam
from .evaluator import Context, Evaluator


@dataclass(frozen=True)
class Own:
    """An endpoint's names, and its roles as they could be at worst."""

    stack: str
    suffix: str = ""
    region: str = REGION

    @property
    def names(self) -> Names:
        return Names(self.suffix)

    @property
    def values(self) -> Mapping[str, str | Sequence[str]]:
        domain = {"BASE_DOMAIN": f"{self.stack}.example.com"}
        return {
            **VALUES,
            **domain,
            "STACK_NAME": self.stack,
            "NAME_SUFFIX": self.suffix,
            "REGION": self.region,
        }

    def roles(self, evaluator: Evaluator) -> dict[str, Role]:
        """The deploy role as made and with its policy rewritten; the others with every right."""
        own = [render_document(name, self.values) for name in (*DEPLOYMENT, "first-deployment")]
        deploy, view = iam(f"role/{self.names.deploy_role}"), iam(f"role/{self.names.view_role}")
        function = iam(f"role/{self.stack}-FunctionRole-1A2B3C")
        boundaries = {
            name: render_document(name, self.values) for name in ("deploy-boundary", "view", "stack-boundary")
        }
        return {
            "deploy": Role(deploy, own, boundaries["deploy-boundary"], evaluator),
            "rewritten": Role(deploy, [EVERYTHING], boundaries["deploy-boundary"], evaluator),
            "view": Role(view, [EVERYTHING], boundaries["view"], evaluator),
            "function": Role(function, [EVERYTHING], boundaries["stack-boundary"], evaluator),
        }

    def calls(self) -> list[tuple[str, str, Context]]:
        """What would harm this endpoint, were it called by somebody else."""
        bounded = {"iam:PermissionsBoundary": iam(f"policy/{self.names.name_policy('stack-boundary')}")}
        function_role = iam(f"role/{self.stack}-FunctionRole-1A2B3C")
        bucket = f"arn:aws:s3:::{name_package_bucket(ACCOUNT, self.region, self.stack)}"
        return [
            (action, resource if resource.startswith("arn:") else self._arn(action, resource), context)
            for action, resource, context in (
                ("cloudformation:ExecuteChangeSet", f"stack/{self.stack}/1", {}),
                ("cloudformation:DeleteStack", f"stack/{self.stack}/1", {}),
                ("cloudformation:UpdateStack", f"stack/{self.names.bootstrap_stack}/1", {}),
                ("lambda:UpdateFunctionCode", f"function:{self.stack}-Function-1A2B3C", {}),
                ("lambda:InvokeFunction", f"function:{self.stack}-Function-1A2B3C", {}),
                ("ssm:GetParametersByPath", f"parameter/{self.stack}/credentials", {}),
                ("ssm:PutParameter", f"parameter/{self.stack}/credentials/OPENAI_API_KEY", {}),
                ("logs:DeleteLogGroup", f"log-group:/aws/lambda/{self.stack}", {}),
                ("cloudwatch:DeleteAlarms", f"alarm:{self.stack}-errors", {}),
                ("cloudwatch:PutDashboard", arn("cloudwatch", f"dashboard/{self.stack}", region=""), {}),
                ("sns:Subscribe", f"{self.stack}-AlarmTopic-1A2B3C", {}),
                ("dynamodb:GetItem", f"table/{self.stack}-Usage", {}),
                ("codedeploy:CreateDeployment", f"deploymentgroup:{self.stack}-App/{self.stack}-Group", {}),
                ("s3:PutObject", f"{bucket}/{self.stack}/0123456789abcdef", {}),
                ("s3:DeleteObject", f"{bucket}/{self.stack}/0123456789abcdef", {}),
                ("s3:PutBucketPolicy", bucket, {}),
                ("iam:PutRolePolicy", function_role, bounded),
                ("iam:UpdateAssumeRolePolicy", function_role, bounded),
                ("iam:TagRole", function_role, {}),
                ("iam:PassRole", function_role, {"iam:PassedToService": LAMBDA}),
                ("iam:UpdateAssumeRolePolicy", iam(f"role/{self.names.deploy_role}"), bounded),
                ("iam:TagRole", iam(f"role/{self.names.view_role}"), {}),
                ("sts:AssumeRole", iam(f"role/{self.names.deploy_role}"), {}),
                ("iam:CreatePolicyVersion", iam(f"policy/{self.names.name_policy('deployment')}"), {}),
                ("iam:CreatePolicyVersion", iam(f"policy/{self.names.name_policy('stack-boundary')}"), {}),
                (
                    "apigateway:PATCH",
                    f"arn:aws:apigateway:{self.region}::/domainnames/api.{self.stack}.example.com",
                    {},
                ),
            )
        ]

    def _arn(self, action: str, resource: str) -> str:
        return arn(action.partition(":")[0], resource, region=self.region)


FIRST, STAGING = Own(STACK), Own("staging", "-staging")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FIRST, STAGING),
        (STAGING, FIRST),
        (Own("pennyworth"), STAGING),
        (Own("pennyworth-github"), STAGING),
        (FIRST, Own("endpoints", "-endpoints")),
        (FIRST, Own("staging", "-staging", "eu-west-1")),
    ],
    ids=lambda one: f"{one.stack} in {one.region}",
)
def test_an_endpoints_roles_reach_nothing_of_another_one(evaluator: Evaluator, one: Own, other: Own) -> None:
    reached = [
        f"{name}: {action} on {resource}"
        for name, role in one.roles(evaluator).items()
        for action, resource, context in other.calls()
        if role.decide(action, resource, context).allowed
    ]
    assert not reached


@pytest.mark.parametrize("own", [FIRST, STAGING], ids=["first", "second"])
def test_each_call_is_open_to_the_endpoints_own_deploy_role_or_to_nobody_of_the_set_up(
    evaluator: Evaluator, own: Own
) -> None:
    """So what is denied above is denied because of the names."""
    role = own.roles(evaluator)["rewritten"]
    denied = {
        action
        for action, resource, context in own.calls()
        if not role.decide(action, resource, context).allowed
    }
    assert denied == {
        "cloudformation:UpdateStack",  # the set-up's stack
        "s3:PutBucketPolicy",
        "iam:UpdateAssumeRolePolicy",  # the deploy role
        "iam:TagRole",
        "sts:AssumeRole",
        "iam:CreatePolicyVersion",  # the boundary
    }


LLM = Endpoint(Names(), "llm", REGION, "", frozenset())


@pytest.mark.parametrize(
    ("stack", "alike"),
    [("llm-staging", True), ("llm", True), ("llmstaging", False), ("staging-llm", False), ("l", False)],
)
def test_names_of_which_one_covers_the_other_are_refused(
    evaluator: Evaluator, stack: str, alike: bool
) -> None:
    assert are_alike(stack, "llm") is are_alike("llm", stack) is alike
    if alike:
        with pytest.raises(Unprepared, match=f"{stack} is too close to llm, the endpoint in {REGION}"):
            check_new_endpoint(stack, [LLM])
    else:
        check_new_endpoint(stack, [LLM])
    # the reason: this is how far the permissions of the first would reach
    role = Own("llm").roles(evaluator)["rewritten"]
    passed = role.decide("iam:PassRole", iam(f"role/{stack}-FunctionRole-1"), {"iam:PassedToService": LAMBDA})
    assert passed.allowed is alike


def test_a_proposed_name_can_be_used() -> None:
    for stack in ("llm", "llm-staging", "llm-a-name-of-24-letters"):
        with pytest.raises(Unprepared) as refused:
            check_new_endpoint(stack, [LLM])
        proposed = str(refused.value).rpartition(" ")[2]
        assert not are_alike(proposed, "llm") and len(proposed) <= 24


@pytest.mark.parametrize(
    ("role", "suffix"),
    [
        ("pennyworth-github-deploy-role", ""),
        ("arn:aws:iam::123456789012:role/pennyworth-github-view-role-staging", "-staging"),
        ("arn:aws:sts::123456789012:assumed-role/pennyworth-github-deploy-role-eu/pennyworth-1", "-eu"),
        ("arn:aws:iam::123456789012:user/deployer", None),
        ("arn:aws:sts::123456789012:assumed-role/Admin/pennyworth-github-deploy-role", None),
        ("pennyworth-github-deploy-roles", None),
    ],
)
def test_a_roles_name_tells_whose_it_is(role: str, suffix: str | None) -> None:
    assert Names.of_role(role) == (None if suffix is None else Names(suffix))
