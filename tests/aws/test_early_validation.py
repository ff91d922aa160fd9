"""Why CloudFormation refused something before it began, from recorded answers in the documentation's form."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from pennyworth.aws.early_validation import explain_refusal

ARN = "arn:aws:cloudformation:us-west-2:123456789012:changeSet/samcli-deploy1/1b2c"
NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
STACK = {"StackName": "endpoint"}
FAILED = {"Filters": {"FailedEvents": True}}


@pytest.fixture
def cloudformation() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client(
        "cloudformation", region_name="us-west-2", aws_access_key_id="none", aws_secret_access_key="none"
    )
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def change_set(arn: str, *, status: str = "FAILED", minutes: int = 0) -> dict[str, Any]:
    return {"ChangeSetId": arn, "Status": status, "CreationTime": NOW + timedelta(minutes=minutes)}


def event(kind: str, name: str, reason: str, **more: Any) -> dict[str, Any]:
    return {
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Timestamp": NOW,
        "ValidationFailureMode": "FAIL",
        "ValidationName": "NAME_CONFLICT_VALIDATION",
        "ValidationStatus": "FAILED",
        "ValidationStatusReason": reason,
        "ValidationPath": f"/Resources/{name}",
        **more,
    }


def test_a_refused_change_set_names_resource_and_remedy(cloudformation: tuple[Any, Stubber]) -> None:
    client, answers = cloudformation
    others = [change_set("old", minutes=-30), change_set("good", status="CREATE_COMPLETE")]
    answers.add_response("list_change_sets", {"Summaries": [*others, change_set(ARN)]}, STACK)
    events = [
        event("AWS::Logs::LogGroup", "LogGroup", "Resource '/aws/lambda/endpoint' already exists."),
        event(
            "AWS::Lambda::Function",
            "Function",
            "#/Timeout: expected maximum 900",
            ValidationName="PROPERTY_VALIDATION",
            ValidationPath="/Resources/Function/Properties/Timeout",
        ),
        event("AWS::CloudWatch::Alarm", "Alarm", "near a quota", ValidationFailureMode="WARN"),
        {"EventType": "STACK_EVENT", "Timestamp": NOW},
    ]
    answers.add_response(
        "describe_events", {"OperationEvents": events}, {**STACK, "ChangeSetName": ARN, **FAILED}
    )
    first, second = explain_refusal(client, "endpoint", since=NOW).splitlines()
    assert first.startswith(
        "LogGroup (AWS::Logs::LogGroup) at /Resources/LogGroup: Resource '/aws/lambda/endpoint' already exists. There"
    )
    assert "aws logs delete-log-group" in first
    assert second == (
        "Function (AWS::Lambda::Function) at /Resources/Function/Properties/Timeout: #/Timeout: expected maximum 900."
    )


def test_a_refused_operation_is_read_from_the_stack(cloudformation: tuple[Any, Stubber]) -> None:
    client, answers = cloudformation
    answers.add_response("list_change_sets", {"Summaries": []}, STACK)
    past = event("AWS::CloudWatch::Dashboard", "Dashboard", "exists", Timestamp=NOW - timedelta(hours=1))
    hook = {
        "EventType": "HOOK_INVOCATION_ERROR",
        "LogicalResourceId": "Api",
        "ResourceType": "AWS::ApiGateway::RestApi",
        "HookFailureMode": "FAIL",
        "HookStatusReason": "no public APIs",
        "Timestamp": NOW,
    }
    answers.add_response("describe_events", {"OperationEvents": [past, hook]}, {**STACK, **FAILED})
    assert explain_refusal(client, "endpoint", since=NOW) == "Api (AWS::ApiGateway::RestApi): no public APIs."


def test_a_role_that_may_not_read_the_reasons_is_told_what_it_needs(
    cloudformation: tuple[Any, Stubber],
) -> None:
    client, answers = cloudformation
    for _ in ("by change set", "by stack"):
        answers.add_client_error("describe_events", "AccessDenied")
    assert "cloudformation:DescribeEvents" in explain_refusal(client, "endpoint", change_set=ARN)
    answers.add_client_error("describe_events", "Throttling")
    assert explain_refusal(client, "endpoint", change_set=ARN) == ""
