"""No known way from few rights to many is open to any role, be it one that GitHub's runs take or one of the stack,
whatever it is given."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pennyworth.aws.packages import name_package_bucket
from pennyworth.iam.policy.documents import DEPLOYMENT, fill_placeholders, render_document

from .account import (
    ACCOUNT,
    CODEDEPLOY,
    EVERYTHING,
    FUNCTION_ROLE,
    LAMBDA,
    OWN_POLICY,
    OWN_ROLE,
    REGION,
    ROLLOUT_ROLE,
    STACK,
    STACK_BOUNDARY,
    VALUES,
    VIEW_ROLE_ARN,
    Role,
    arn,
    deploy_role,
    iam,
    tightened,
    view_role,
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

TO_LAMBDA, TO_CODEDEPLOY = ({"iam:PassedToService": service} for service in (LAMBDA, CODEDEPLOY))
BOUNDED = {"iam:PermissionsBoundary": STACK_BOUNDARY}
PACKAGES = f"arn:aws:s3:::{name_package_bucket(ACCOUNT, REGION, STACK)}"
NEW_ROLE = iam(f"role/{STACK}-NewRole-1A2B3C")


def attackers(evaluator: Evaluator, values: Mapping[str, Any]) -> dict[str, Role]:
    """Whoever may push to a trusted branch is one of these, whoever may open a pull request the last but one."""
    return dict(_attackers(evaluator, json.dumps(values)))


@cache  # rendering their documents takes longer than judging them
def _attackers(evaluator: Evaluator, told: str) -> Mapping[str, Role]:
    values = json.loads(told)
    first = [render_document(name, values) for name in (*DEPLOYMENT, "first-deployment")]
    return {
        "the deploy role": deploy_role(evaluator, values),
        "the deploy role in the first deployment": deploy_role(evaluator, values, identity=first),
        "the deploy role after tightening": deploy_role(evaluator, values, identity=tightened(values)),
        "the deploy role after tightening a gradual rollout": deploy_role(
            evaluator, values, identity=tightened(values, gradual=True)
        ),
        "the deploy role with its policy rewritten": deploy_role(evaluator, values, identity=[EVERYTHING]),
        "the function's role with every right": function_role(evaluator, values, EVERYTHING),
        "the rollout's role with every right": rollout_role(evaluator, values, EVERYTHING),
        "the view role": view_role(evaluator, values),
        "the view role with every right": replace(view_role(evaluator, values), identity=[EVERYTHING]),
    }


def function_role(evaluator: Evaluator, values: Mapping[str, Any], *identity: Document) -> Role:
    """The function's role with policies that the deploy role may have written."""
    return Role(FUNCTION_ROLE, identity, render_document("stack-boundary", values), evaluator)


def rollout_role(evaluator: Evaluator, values: Mapping[str, Any], *identity: Document) -> Role:
    """The role of a gradual rollout, likewise."""
    name = ROLLOUT_ROLE.replace(f"/{STACK}-", f"/{values['STACK_NAME']}-")
    return Role(name, identity, render_document("stack-boundary", values), evaluator)


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
    calls = fill_placeholders(path["calls"], values)
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
    assert all(
        decision.allowed for decision in decisions(unbound, fill_placeholders(path["calls"], VALUES), {})
    )


@pytest.mark.parametrize("stack", [STACK, "pennyworth"])
@pytest.mark.parametrize(
    "bucket",
    [
        "aws-sam-cli-managed-default-samclisourcebucket-1a2b3c",
        name_package_bucket(ACCOUNT, REGION, "payroll"),
        name_package_bucket(ACCOUNT, "eu-west-1", STACK),
        f"{name_package_bucket(ACCOUNT, REGION, STACK)}-2",
        "payroll",
    ],
)
def test_a_buckets_own_grant_to_the_session_opens_none_but_the_endpoints(
    evaluator: Evaluator, bucket: str, stack: str
) -> None:
    """A boundary that just allows less does not bind what a bucket's policy grants to the role's session."""
    session = arn("sts", "assumed-role/pennyworth-github-deploy-role/GitHubActions", region="")
    values = {**VALUES, "STACK_NAME": stack}
    role = replace(deploy_role(evaluator, values, identity=[EVERYTHING]), arn=session)
    statements = [one for one in role.boundary["Statement"] if one["Effect"] == "Allow"]
    unbound = replace(role, boundary={**role.boundary, "Statement": statements})
    for action, resource in {
        "s3:GetObject": f"arn:aws:s3:::{bucket}/{stack}/0123456789abcdef",
        "s3:PutObject": f"arn:aws:s3:::{bucket}/{stack}/0123456789abcdef",
        "s3:PutBucketPolicy": f"arn:aws:s3:::{bucket}",
    }.items():
        grant = {"Effect": "Allow", "Principal": {"AWS": session}, "Action": "s3:*", "Resource": resource}
        policy = {"Version": "2012-10-17", "Statement": [grant]}
        assert unbound.decide(action, resource, resource_policy=policy).allowed
        assert not role.decide(action, resource, resource_policy=policy).allowed


def test_the_endpoints_own_packages_can_be_uploaded_and_no_former_version_destroyed(
    evaluator: Evaluator,
) -> None:
    roles = [deploy_role(evaluator), deploy_role(evaluator, identity=[EVERYTHING])]
    package = f"{PACKAGES}/{STACK}/0123456789abcdef"
    for role in roles:
        for action in ("s3:PutObject", "s3:GetObject", "s3:DeleteObject"):
            assert role.decide(action, package).allowed
            assert not role.decide(action, f"{PACKAGES}/other/0123456789abcdef").allowed
        assert role.decide("s3:ListBucket", PACKAGES).allowed
        for action in ("s3:DeleteBucket", "s3:PutLifecycleConfiguration", "s3:PutBucketVersioning"):
            assert not role.decide(action, PACKAGES).allowed
        assert not role.decide("s3:DeleteObjectVersion", package).allowed


@pytest.mark.parametrize("path", OPEN, ids=lambda path: path["name"])
def test_what_stays_open_is_known(evaluator: Evaluator, path: dict[str, Any]) -> None:
    """Once one of them is closed, the list and the page that tells it are to be shortened."""
    assert all(
        decision.allowed
        for decision in decisions(deploy_role(evaluator), fill_placeholders(path["calls"], VALUES), {})
    )
    others = attackers(evaluator, VALUES)
    for name in ("the function's role with every right", "the view role with every right"):
        for decision in decisions(others[name], fill_placeholders(path["calls"], VALUES), {}):
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
def test_the_stacks_roles_go_to_no_service_but_their_own(evaluator: Evaluator, service: str) -> None:
    context = {"iam:PassedToService": f"{service}.amazonaws.com"}
    for role in attackers(evaluator, VALUES).values():
        assert not role.decide("iam:PassRole", FUNCTION_ROLE, context).allowed
        assert not role.decide("iam:PassRole", ROLLOUT_ROLE, context).allowed


@pytest.mark.parametrize("gradual", [False, True], ids=["all at once", "gradual"])
def test_after_tightening_each_role_goes_to_its_own_service_and_no_other_role_to_any(
    evaluator: Evaluator, gradual: bool
) -> None:
    tight = deploy_role(evaluator, identity=tightened(gradual=gradual))
    passed = {
        (role, service)
        for role in (FUNCTION_ROLE, ROLLOUT_ROLE, NEW_ROLE)
        for service in (LAMBDA, CODEDEPLOY)
        if tight.decide("iam:PassRole", role, {"iam:PassedToService": service}).allowed
    }
    assert passed == {(FUNCTION_ROLE, LAMBDA), *([(ROLLOUT_ROLE, CODEDEPLOY)] if gradual else [])}


def test_before_tightening_codedeploy_gets_the_rollouts_role_alone(evaluator: Evaluator) -> None:
    role = deploy_role(evaluator)
    assert role.decide("iam:PassRole", ROLLOUT_ROLE, TO_CODEDEPLOY).allowed
    assert not role.decide("iam:PassRole", FUNCTION_ROLE, TO_CODEDEPLOY).allowed
    assert not role.decide("iam:PassRole", NEW_ROLE, TO_CODEDEPLOY).allowed


@pytest.mark.parametrize("stack", [STACK, "pennyworth"])
@pytest.mark.parametrize(
    ("action", "context"),
    [
        ("iam:UpdateAssumeRolePolicy", BOUNDED),
        ("iam:PutRolePolicy", BOUNDED),
        ("iam:AttachRolePolicy", {**BOUNDED, "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("iam:PutRolePermissionsBoundary", BOUNDED),
        ("iam:DeleteRolePermissionsBoundary", BOUNDED),
        ("iam:DeleteRole", BOUNDED),
        ("iam:PassRole", TO_LAMBDA),
        ("iam:PassRole", TO_CODEDEPLOY),
        ("sts:AssumeRole", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nobody_changes_or_hands_on_the_roles_of_githubs_runs(
    evaluator: Evaluator, stack: str, action: str, context: Context
) -> None:
    for name, role in attackers(evaluator, {**VALUES, "STACK_NAME": stack}).items():
        for target in (OWN_ROLE, VIEW_ROLE_ARN):
            assert not role.decide(action, target, context).allowed, f"{name}: {target}"


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("cloudformation:ExecuteChangeSet", arn("cloudformation", f"stack/{STACK}/1"), {}),
        (
            "cloudformation:ExecuteChangeSet",
            arn("cloudformation", f"stack/{STACK}/1"),
            {"cloudformation:ChangeSetName": "pennyworth-preview-1"},
        ),
        ("cloudformation:UpdateStack", arn("cloudformation", f"stack/{STACK}/1"), {}),
        ("cloudformation:CreateStack", arn("cloudformation", f"stack/{STACK}/1"), {}),
        ("cloudformation:DeleteStack", arn("cloudformation", f"stack/{STACK}/1"), {}),
        ("cloudformation:SetStackPolicy", arn("cloudformation", f"stack/{STACK}/1"), {}),
        ("cloudformation:CreateChangeSet", arn("cloudformation", f"stack/{STACK}/1"), {}),
        (
            "cloudformation:CreateChangeSet",
            arn("cloudformation", f"stack/{STACK}/1"),
            {"cloudformation:ChangeSetName": "samcli-deploy1234567890"},
        ),
        (
            "cloudformation:DeleteChangeSet",
            arn("cloudformation", f"stack/{STACK}/1"),
            {"cloudformation:ChangeSetName": "samcli-deploy1234567890"},
        ),
        (
            "cloudformation:CreateChangeSet",
            arn("cloudformation", "stack/payroll/1"),
            {"cloudformation:ChangeSetName": "pennyworth-preview-1"},
        ),
        ("cloudformation:CreateChangeSet", "arn:aws:cloudformation:us-west-2:aws:transform/Include", {}),
        ("ssm:GetParameter", arn("ssm", f"parameter/{STACK}/credentials/OPENAI_API_KEY"), {}),
        ("ssm:GetParameters", arn("ssm", f"parameter/{STACK}/credentials/OPENAI_API_KEY"), {}),
        ("ssm:GetParametersByPath", arn("ssm", f"parameter/{STACK}/credentials"), {}),
        ("ssm:GetParameterHistory", arn("ssm", f"parameter/{STACK}/credentials/OPENAI_API_KEY"), {}),
        ("ssm:PutParameter", arn("ssm", f"parameter/{STACK}/credentials/OPENAI_API_KEY"), {}),
        ("s3:GetObject", f"{PACKAGES}/{STACK}/a", {}),
        ("s3:PutObject", f"{PACKAGES}/{STACK}/a", {}),
        ("lambda:InvokeFunction", arn("lambda", f"function:{STACK}-Function-1A2B3C"), {}),
        ("lambda:UpdateAlias", arn("lambda", f"function:{STACK}-Function-1A2B3C"), {}),
        ("lambda:UpdateFunctionCode", arn("lambda", f"function:{STACK}-Function-1A2B3C"), {}),
        ("logs:GetLogEvents", arn("logs", f"log-group:/aws/lambda/{STACK}:log-stream:one"), {}),
        ("logs:FilterLogEvents", arn("logs", f"log-group:/aws/lambda/{STACK}"), {}),
        ("iam:PassRole", FUNCTION_ROLE, TO_LAMBDA),
        ("iam:CreatePolicyVersion", OWN_POLICY, {}),
        ("iam:GetRole", iam("role/admin"), {}),
        ("lambda:GetFunction", arn("lambda", "function:payroll"), {}),
        ("cloudformation:DescribeStacks", arn("cloudformation", "stack/payroll/1"), {}),
        ("codedeploy:StopDeployment", "*", {}),
        ("cloudwatch:SetAlarmState", arn("cloudwatch", f"alarm:{STACK}-errors"), {}),
    ],
)
def test_whoever_looks_may_not(evaluator: Evaluator, action: str, resource: str, context: Context) -> None:
    looking = view_role(evaluator)
    for role in (looking, replace(looking, identity=[EVERYTHING])):
        for way in WAYS.values():
            assert not role.decide(action, resource, {**way, **context}).allowed


def test_whoever_looks_learns_where_the_functions_package_is_by_cloudformation_alone(
    evaluator: Evaluator,
) -> None:
    """Lambda's answer says where the package can be fetched. The configuration is what drift detection shows."""
    function = arn("lambda", f"function:{STACK}-Function-1A2B3C")
    for action, directly in {"lambda:GetFunction": False, "lambda:GetFunctionConfiguration": True}.items():
        allowed = {
            how: view_role(evaluator).decide(action, function, way).allowed for how, way in WAYS.items()
        }
        assert allowed == {"directly": directly, "by a template": True}
    assert not view_role(evaluator).decide("lambda:ListVersionsByFunction", function).allowed


def test_a_change_set_takes_the_deploy_roles_rights_and_not_its_makers(evaluator: Evaluator) -> None:
    """What a preview might hold can be executed by nobody but who could have deployed it."""
    stack = arn("cloudformation", f"stack/{STACK}/1")
    executing = {
        name
        for name, role in attackers(evaluator, VALUES).items()
        if role.decide("cloudformation:ExecuteChangeSet", stack).allowed
    }
    assert executing == {name for name in attackers(evaluator, VALUES) if name.startswith("the deploy role")}


def test_a_rewritten_policy_gains_nothing_beyond_the_stack(evaluator: Evaluator) -> None:
    rewritten = attackers(evaluator, VALUES)["the deploy role with its policy rewritten"]
    assert rewritten.decide(
        "iam:CreatePolicyVersion", OWN_POLICY
    ).allowed  # so it can be rewritten, and put right
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
        ("iam:PassRole", NEW_ROLE, TO_LAMBDA),
        ("lambda:UpdateAlias", arn("lambda", f"function:{STACK}-Function-1A2B3C"), {}),
        ("lambda:DeleteFunction", arn("lambda", f"function:{STACK}-Function-1A2B3C"), {}),
        ("cloudwatch:DescribeAlarms", arn("cloudwatch", "alarm:payroll"), {}),
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


@pytest.mark.parametrize("stack", ["pennyworth", "pennyworth-github"])
def test_a_stack_whose_name_begins_as_the_roles_names_do_can_be_deployed(
    evaluator: Evaluator, stack: str
) -> None:
    role = deploy_role(evaluator, {**VALUES, "STACK_NAME": stack})
    assert role.decide("iam:CreateRole", iam(f"role/{stack}-FunctionRole-1A2B3C"), BOUNDED).allowed
    assert role.decide("iam:PassRole", iam(f"role/{stack}-FunctionRole-1A2B3C"), TO_LAMBDA).allowed


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
        ("bedrock:InvokeModel", arn("bedrock", "project/default", region="us-east-1"), True),
        ("bedrock:InvokeModel", arn("bedrock", "project/payroll", region="us-east-1"), False),
        (
            "bedrock-mantle:CreateInference",
            arn("bedrock-mantle", "project/default", region="us-east-1"),
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
        ("lambda:UpdateAlias", arn("lambda", f"function:{STACK}-Function"), False),
        ("lambda:GetAlias", arn("lambda", f"function:{STACK}-Function"), False),
        ("cloudwatch:DescribeAlarms", arn("cloudwatch", "alarm:payroll"), False),
        ("codedeploy:StopDeployment", "*", False),
        ("iam:PassRole", FUNCTION_ROLE, False),
        ("sts:AssumeRole", FUNCTION_ROLE, False),
    ],
)
def test_the_stacks_roles_may_do_a_functions_work_and_no_more(
    evaluator: Evaluator, action: str, resource: str, allowed: bool
) -> None:
    role = function_role(evaluator, VALUES, EVERYTHING)
    assert role.decide(action, resource).allowed is allowed


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("lambda:GetAlias", arn("lambda", f"function:{STACK}-Function-1A2B3C"), True),
        ("lambda:UpdateAlias", arn("lambda", f"function:{STACK}-Function-1A2B3C"), True),
        ("cloudwatch:DescribeAlarms", arn("cloudwatch", "alarm:payroll"), True),
        ("lambda:UpdateAlias", arn("lambda", "function:payroll"), False),
        (
            "lambda:UpdateAlias",
            arn("lambda", f"function:{STACK}-Function-1A2B3C", region="eu-south-2"),
            False,
        ),
        ("lambda:InvokeFunction", arn("lambda", f"function:{STACK}-Function-1A2B3C"), False),
        ("lambda:UpdateFunctionCode", arn("lambda", f"function:{STACK}-Function-1A2B3C"), False),
        ("lambda:AddPermission", arn("lambda", f"function:{STACK}-Function-1A2B3C"), False),
        ("lambda:DeleteFunction", arn("lambda", f"function:{STACK}-Function-1A2B3C"), False),
        ("cloudwatch:PutMetricAlarm", arn("cloudwatch", f"alarm:{STACK}-errors"), False),
        ("sns:Publish", arn("sns", f"{STACK}-AlarmTopic-1A2B3C"), False),
        ("s3:GetObject", "arn:aws:s3:::payroll/one", False),
        ("iam:PassRole", ROLLOUT_ROLE, False),
    ],
)
def test_the_rollouts_role_moves_callers_and_no_more(
    evaluator: Evaluator, action: str, resource: str, allowed: bool
) -> None:
    assert rollout_role(evaluator, VALUES, EVERYTHING).decide(action, resource).allowed is allowed


def test_what_the_rollouts_role_may_is_its_own_by_name(evaluator: Evaluator) -> None:
    """All of the stack's roles carry one boundary."""
    for name in (f"{STACK}-FunctionRole-RolloutRole-1", f"{STACK}-RolloutRolex-1", "other-RolloutRole-1"):
        role = Role(iam(f"role/{name}"), [EVERYTHING], render_document("stack-boundary", VALUES), evaluator)
        assert not role.decide("lambda:UpdateAlias", arn("lambda", f"function:{STACK}-Function-1")).allowed
