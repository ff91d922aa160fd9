"""What a deployment calls is allowed: by the deploy role's policies, and by its boundary."""

from collections.abc import Mapping, Sequence

import pytest

from .account import STACK, VALUES, Role, deploy_role, deployment, tightened, view_role
from .calls import Call, derived, recorded
from .evaluator import Evaluator
from .lifecycle import Recorded


@pytest.fixture(scope="module")
def calls(recorded_calls: Recorded) -> list[Call]:
    """Everything that was recorded."""
    return list(recorded(recorded_calls))


def denied(role: Role, calls: Sequence[Call]) -> list[str]:
    return [str(call) for call in calls if not call.judged(role).allowed]


def first_deployment(evaluator: Evaluator, values: Mapping[str, str | Sequence[str]]) -> Role:
    return deploy_role(evaluator, values, identity=deployment(values, "first-deployment"))


def test_a_whole_life_was_recorded(calls: list[Call]) -> None:
    made = {(call.by, call.action) for call in calls}
    assert made >= {
        ("create", "cloudformation:ExecuteChangeSet"),
        ("create", "s3:PutObject"),
        ("create", "iam:GetPolicy"),
        ("prepare", "iam:CreatePolicyVersion"),
        ("tighten", "iam:SimulatePrincipalPolicy"),
        ("update", "cloudformation:ExecuteChangeSet"),
        ("rollback", "cloudformation:DescribeStackEvents"),
        ("go back", "lambda:UpdateAlias"),
        ("prune", "lambda:DeleteFunction"),
        ("delete", "cloudformation:DeleteStack"),
        ("delete", "s3:DeleteObject"),
    }


def test_every_recorded_call_is_allowed(
    evaluator: Evaluator, recorded_calls: Recorded, calls: list[Call]
) -> None:
    values = recorded_calls.values
    assert denied(deploy_role(evaluator, values), calls) == []
    assert denied(first_deployment(evaluator, values), calls) == []


def test_every_recorded_look_is_allowed(evaluator: Evaluator, recorded_calls: Recorded) -> None:
    looks = list(recorded(recorded_calls, "view"))
    made = {(call.by, call.action) for call in looks}
    assert made >= {
        ("preview", "cloudformation:CreateChangeSet"),
        ("preview", "cloudformation:DeleteChangeSet"),
        ("preview", "cloudformation:GetTemplate"),
        ("health check", "cloudformation:DetectStackDrift"),
        ("health check", "cloudwatch:GetMetricData"),
        ("health check", "iam:SimulatePrincipalPolicy"),
        ("health check", "lambda:GetAlias"),
    }
    assert denied(view_role(evaluator, recorded_calls.values), looks) == []


def test_every_derived_call_is_allowed(evaluator: Evaluator) -> None:
    calls = list(derived(VALUES))
    assert {call.action for call in calls} >= {
        "lambda:CreateFunction",
        "iam:PassRole",
        "lambda:GetLayerVersion",
    }
    assert denied(deploy_role(evaluator), calls) == []
    assert denied(first_deployment(evaluator, VALUES), calls) == []


def test_every_derived_call_is_allowed_after_tightening(evaluator: Evaluator) -> None:
    role = deploy_role(evaluator, identity=tightened(gradual=True))
    assert denied(role, derived(VALUES)) == []


def test_everything_that_looking_takes_is_allowed(evaluator: Evaluator) -> None:
    calls = list(derived(VALUES, "view"))
    assert {call.action for call in calls} >= {
        "apigateway:GET",
        "cloudformation:CreateChangeSet",
        "cloudwatch:GetMetricData",
        "iam:SimulatePrincipalPolicy",
        "lambda:GetFunction",
    }
    assert denied(view_role(evaluator), calls) == []


@pytest.mark.parametrize(("partition", "region"), [("aws-us-gov", "us-gov-west-1"), ("aws-cn", "cn-north-1")])
def test_other_partitions_are_served_alike(evaluator: Evaluator, partition: str, region: str) -> None:
    values = {**VALUES, "PARTITION": partition, "REGION": region}
    own = [call for call in derived(values) if not call.agreed]
    assert denied(deploy_role(evaluator, values), own) == []
    assert denied(view_role(evaluator, values), list(derived(values, "view"))) == []


def test_what_a_document_lacks_is_found(evaluator: Evaluator) -> None:
    lacking = deployment()
    for document in lacking:
        document["Statement"] = [
            one for one in document["Statement"] if "lambda:CreateFunction" not in one["Action"]
        ]
    found = denied(deploy_role(evaluator, identity=lacking), list(derived(VALUES)))
    assert any(
        f"lambda:CreateFunction on arn:aws:lambda:us-west-2:123456789012:function:{STACK}-" in one
        for one in found
    )
