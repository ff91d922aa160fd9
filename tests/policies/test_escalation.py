"""No known way from few rights to many is open to the deploy role or the function's role, whatever either is given."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pennyworth.pipeline.policy.documents import DEPLOYMENT, fill, filled

from .account import (
    ACCOUNT,
    EVERYTHING,
    FUNCTION_ROLE,
    OWN_POLICY,
    OWN_ROLE,
    STACK,
    STACK_BOUNDARY,
    VALUES,
    Role,
    arn,
    deploy_role,
    iam,
)
from .evaluator import Context, Decision, Document, Evaluator

Call = Mapping[str, Any]

KNOWN = tomllib.loads((Path(__file__).parent / "escalations.toml").read_text())
PATHS: list[dict[str, Any]] = KNOWN["paths"]
OPEN: list[dict[str, Any]] = KNOWN["open"]

WAYS: Mapping[str, Context] = {
    "directly": {},
    "by a template": {
        "aws:CalledVia": ["cloudformation.amazonaws.com"],
        "aws:ViaAWSService": "true",
    },
}
"""How a call can be made: CloudFormation acts with the rights of whoever deploys."""

LAMBDA = {"iam:PassedToService": "lambda.amazonaws.com"}
BOUNDED = {"iam:PermissionsBoundary": STACK_BOUNDARY}
NEW_ROLE = iam(f"role/{STACK}-NewRole-1A2B3C")


def attackers(evaluator: Evaluator, values: Mapping[str, Any]) -> dict[str, Role]:
    """Whoever may push to a trusted branch is one of these."""
    first = [filled(name, values) for name in (*DEPLOYMENT, "first-deployment")]
    tightened = {**values, "PASS_ROLE_ARNS": [FUNCTION_ROLE]}
    exact = [filled(name, tightened) for name in DEPLOYMENT]
    return {
        "the deploy role": deploy_role(evaluator, values),
        "the deploy role in the first deployment": deploy_role(evaluator, values, identity=first),
        "the deploy role after tightening": deploy_role(evaluator, values, identity=exact),
        "the deploy role with its policy rewritten": deploy_role(evaluator, values, identity=[EVERYTHING]),
        "the function's role with every right": function_role(evaluator, values, EVERYTHING),
    }


def function_role(evaluator: Evaluator, values: Mapping[str, Any], *identity: Document) -> Role:
    """The function's role with policies that the deploy role may have written."""
    return Role(FUNCTION_ROLE, identity, filled("stack-boundary", values), evaluator)


def consent(call: Call) -> dict[str, Document]:
    """What the resource's own policy must say: another account's, which an attacker has, and a KMS key's."""
    account = (call["resource"].split(":") + [""] * 5)[4]
    service = call["action"].split(":")[0]
    if service == "kms":
        principal: Any = {
            "AWS": iam("root")
        }  # it leaves the decision to IAM, as AWS's default policy for keys does
    elif account.isdecimal() and account != ACCOUNT:
        principal = "*"
    else:
        return {}
    statement = {"Effect": "Allow", "Principal": principal, "Action": call["action"]}
    if service != "sts":  # a role's trust names no resource
        statement["Resource"] = "*"
    return {"resource_policy": {"Version": "2012-10-17", "Statement": [statement]}}


def decisions(role: Role, calls: list[Call], way: Context) -> Iterator[Decision]:
    for call in calls:
        context = {**way, **call.get("context", {})}
        yield role.decide(call["action"], call["resource"], context, **consent(call))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path["name"])
@pytest.mark.parametrize("stack", [STACK, "pennyworth"])  # the latter's roles look like the deploy role
def test_no_known_escalation_is_open(evaluator: Evaluator, path: dict[str, Any], stack: str) -> None:
    values = {**VALUES, "STACK_NAME": stack}
    calls = fill(path["calls"], values)
    open_to = [
        f"{name}, {how}"
        for name, role in attackers(evaluator, values).items()
        for how, way in WAYS.items()
        if all(decision.allowed for decision in decisions(role, calls, way))
    ]
    assert not open_to


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path["name"])
def test_each_would_be_open_without_boundaries(evaluator: Evaluator, path: dict[str, Any]) -> None:
    unbound = Role(OWN_ROLE, [EVERYTHING], EVERYTHING, evaluator)
    assert all(decision.allowed for decision in decisions(unbound, fill(path["calls"], VALUES), {}))


@pytest.mark.parametrize("path", OPEN, ids=lambda path: path["name"])
def test_what_stays_open_is_known(evaluator: Evaluator, path: dict[str, Any]) -> None:
    """Once one of them is closed, the list and the page that tells it are to be shortened."""
    assert all(
        decision.allowed for decision in decisions(deploy_role(evaluator), fill(path["calls"], VALUES), {})
    )
    for decision in decisions(function_role(evaluator, VALUES, EVERYTHING), fill(path["calls"], VALUES), {}):
        assert not decision.allowed


def test_there_are_enough_of_them_each_with_its_source() -> None:
    assert len({path["name"] for path in PATHS}) == len(PATHS) >= 25
    assert all(path["source"].startswith("https://") and path["calls"] for path in PATHS)


@pytest.mark.parametrize(
    "service",
    [
        "apigateway",
        "cloudformation",
        "codebuild",
        "datapipeline",
        "dynamodb.application-autoscaling",
        "ec2",
        "ecs-tasks",
        "edgelambda",
        "events",
        "glue",
        "logs",
        "sagemaker",
        "scheduler",
        "ssm",
        "states",
    ],
)
def test_the_functions_role_goes_to_no_service_but_lambda(evaluator: Evaluator, service: str) -> None:
    context = {"iam:PassedToService": f"{service}.amazonaws.com"}
    for role in attackers(evaluator, VALUES).values():
        assert not role.decide("iam:PassRole", FUNCTION_ROLE, context).allowed


def test_after_tightening_no_other_role_of_the_stacks_name_can_be_passed(evaluator: Evaluator) -> None:
    tight = attackers(evaluator, VALUES)["the deploy role after tightening"]
    assert tight.decide("iam:PassRole", FUNCTION_ROLE, LAMBDA).allowed
    assert not tight.decide("iam:PassRole", NEW_ROLE, LAMBDA).allowed


def test_a_rewritten_policy_gains_nothing_beyond_the_stack(evaluator: Evaluator) -> None:
    rewritten = attackers(evaluator, VALUES)["the deploy role with its policy rewritten"]
    assert rewritten.decide(
        "iam:CreatePolicyVersion", OWN_POLICY
    ).allowed  # so it can be rewritten, and mended
    for action, own, other in (
        ("lambda:UpdateFunctionCode", f"function:{STACK}-Function", "function:payroll"),
        ("dynamodb:DeleteTable", f"table/{STACK}-Usage", "table/payroll"),
        ("ssm:PutParameter", f"parameter/{STACK}/one", "parameter/payroll/one"),
        ("cloudformation:DeleteStack", f"stack/{STACK}/1", "stack/payroll/1"),
    ):
        service = action.split(":")[0]
        assert rewritten.decide(action, arn(service, own)).allowed, action
        assert not rewritten.decide(action, arn(service, other)).allowed, action
        assert not rewritten.decide(action, arn(service, own, region="eu-south-2")).allowed, action


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("iam:CreateRole", NEW_ROLE, BOUNDED),
        ("iam:PutRolePolicy", NEW_ROLE, BOUNDED),
        ("iam:PassRole", NEW_ROLE, LAMBDA),
        ("iam:DeleteRole", NEW_ROLE, BOUNDED),
        ("iam:CreatePolicyVersion", OWN_POLICY, {}),
        ("iam:DeletePolicyVersion", OWN_POLICY, {}),
        ("lambda:UpdateFunctionCode", arn("lambda", f"function:{STACK}-Function-1A2B3C"), {}),
        ("cloudformation:ExecuteChangeSet", arn("cloudformation", f"stack/{STACK}/1"), {}),
    ],
)
def test_the_deploy_role_may_do_its_work(
    evaluator: Evaluator, action: str, resource: str, context: Context
) -> None:
    role = deploy_role(evaluator)
    for way in WAYS.values():
        assert role.decide(action, resource, {**way, **context}).allowed


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("logs:PutLogEvents", arn("logs", f"log-group:/aws/lambda/{STACK}:log-stream:2026"), True),
        ("logs:CreateLogStream", arn("logs", f"log-group:/aws/lambda/{STACK}:log-stream:2026"), True),
        ("logs:PutLogEvents", arn("logs", "log-group:/aws/lambda/payroll:log-stream:2026"), False),
        ("bedrock:InvokeModel", "arn:aws:bedrock:us-east-1::foundation-model/some.model", True),
        (
            "bedrock:InvokeModelWithResponseStream",
            arn("bedrock", "inference-profile/some.model", region="us-east-1"),
            True,
        ),
        ("dynamodb:UpdateItem", arn("dynamodb", f"table/{STACK}-Usage"), True),
        ("dynamodb:DeleteTable", arn("dynamodb", f"table/{STACK}-Usage"), False),
        ("dynamodb:GetItem", arn("dynamodb", "table/payroll"), False),
        ("s3:PutObject", f"arn:aws:s3:::{STACK}-cache/one", True),
        ("s3:PutBucketPolicy", f"arn:aws:s3:::{STACK}-cache", False),
        ("s3:GetObject", "arn:aws:s3:::payroll/one", False),
        ("ssm:GetParameter", arn("ssm", f"parameter/{STACK}/one"), True),
        ("ssm:GetParameter", arn("ssm", "parameter/payroll/one"), False),
        ("lambda:UpdateFunctionCode", arn("lambda", f"function:{STACK}-Function"), False),
        ("iam:PassRole", FUNCTION_ROLE, False),
        ("sts:AssumeRole", FUNCTION_ROLE, False),
    ],
)
def test_the_stacks_roles_may_do_a_functions_work_and_no_more(
    evaluator: Evaluator, action: str, resource: str, allowed: bool
) -> None:
    role = function_role(evaluator, VALUES, EVERYTHING)
    assert role.decide(action, resource).allowed is allowed
