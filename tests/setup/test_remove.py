"""`pennyworth remove`: all of an endpoint goes, what holds data stays unless it is to go, and a second run is none."""

import io
import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from tests.shell import REGION, Shell

from pennyworth.cli import remove
from pennyworth.host.errors import OperationFailed

STACK = "endpoint"
PLACE = ("--stack-name", STACK, "--region", REGION)
TABLE, BUCKET, GROUP = "endpoint-usage", "endpoint-files", f"/aws/lambda/{STACK}"
TEMPLATE: dict[str, Any] = {
    "Resources": {
        "LogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}},
        "Usage": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "Properties": {
                "TableName": TABLE,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            },
        },
        "Files": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "Properties": {"BucketName": BUCKET},
        },
    }
}
SAM = {
    "Resources": {
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": "packages", "VersioningConfiguration": {"Status": "Enabled"}},
        }
    },
    "Outputs": {"SourceBucket": {"Value": {"Ref": "Bucket"}}},
}


def create(shell: Shell, name: str, template: dict[str, Any]) -> None:
    cloudformation = shell.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


@pytest.fixture
def deployed(shell: Shell) -> Shell:
    """An account with an endpoint's stack, its credentials and packages, and another's."""
    create(shell, "aws-sam-cli-managed-default", SAM)
    create(shell, STACK, TEMPLATE)
    for name in (STACK, "other"):
        shell.client("s3").put_object(Bucket="packages", Key=f"{name}/package", Body=b"1")
        shell.client("ssm").put_parameter(
            Name=f"/{name}/credentials/LITELLM_API_KEYS/alice", Value="sk-canary", Type="SecureString"
        )
    shell.client("s3").put_object(Bucket=BUCKET, Key="a", Body=b"data")
    return shell


def left(shell: Shell) -> dict[str, Any]:
    """What there is of both endpoints."""
    objects = shell.client("s3").list_object_versions(Bucket="packages").get("Versions", [])
    parameters = shell.client("ssm").describe_parameters()["Parameters"]
    return {
        "stacks": shell.stacks(),
        "packages": {one["Key"] for one in objects},
        "credentials": {one["Name"].split("/")[1] for one in parameters},
        "tables": set(shell.client("dynamodb").list_tables()["TableNames"]),
        "buckets": {one["Name"] for one in shell.client("s3").list_buckets()["Buckets"]},
        "groups": {one["logGroupName"] for one in shell.client("logs").describe_log_groups()["logGroups"]},
    }


def test_nothing_goes_without_consent(deployed: Shell) -> None:
    before = left(deployed)
    shown = deployed.pennyworth("remove", *PLACE, "--dry-run")
    assert not shown.returncode, shown.stderr
    for part in ("stack endpoint in us-west-2", GROUP, "LITELLM_API_KEYS/alice", "s3://packages/endpoint/"):
        assert part in shown.stdout
    assert f"{TABLE}: it holds data" in shown.stderr
    assert "sk-canary" not in shown.stdout + shown.stderr
    refused = deployed.pennyworth("remove", *PLACE)
    assert refused.returncode == 1 and "Add --yes" in refused.stderr
    unclear = deployed.pennyworth("remove", *PLACE, "--json")
    assert (
        unclear.returncode == 2 and "add --yes or --dry-run" in json.loads(unclear.stdout)["error"]["message"]
    )
    assert left(deployed) == before


def test_all_of_the_endpoint_goes_but_its_data(deployed: Shell) -> None:
    done = deployed.pennyworth("remove", *PLACE, "--yes", "--json")
    assert not done.returncode, done.stderr
    assert left(deployed) == {
        "stacks": {"aws-sam-cli-managed-default"},
        "packages": {"other/package"},
        "credentials": {"other"},
        "tables": {TABLE},
        "buckets": {"packages", BUCKET},
        "groups": set(),
    }
    told = json.loads(done.stdout)
    assert told["removed"] is True
    assert {one["how"] for one in told["kept"]} == {
        f"aws dynamodb delete-table --table-name {TABLE} --region {REGION}",
        f"aws s3 rb s3://{BUCKET} --force",
    }
    again = deployed.pennyworth("remove", *PLACE, "--yes")
    assert not again.returncode
    assert "There is nothing to remove" in again.stderr


def test_data_goes_where_that_is_wanted(deployed: Shell) -> None:
    done = deployed.pennyworth("remove", *PLACE, "--yes", "--with-data")
    assert not done.returncode, done.stderr
    assert not left(deployed)["tables"]
    assert left(deployed)["buckets"] == {"packages"}


@pytest.mark.parametrize(
    "interrupted",
    [
        lambda shell: shell.client("cloudformation").delete_stack(StackName=STACK),
        lambda shell: shell.client("logs").delete_log_group(logGroupName=GROUP),
    ],
    ids=["the stack is gone", "a resource is gone"],
)
def test_what_was_deleted_in_part_is_deleted_wholly(
    deployed: Shell, interrupted: Callable[[Shell], object]
) -> None:
    interrupted(deployed)
    done = deployed.pennyworth("remove", *PLACE, "--yes")
    assert not done.returncode, done.stderr
    found = left(deployed)
    assert STACK not in found["stacks"] and found["credentials"] == {"other"}
    assert found["packages"] == {"other/package"}


def test_a_stack_that_may_not_be_deleted_is_explained(deployed: Shell) -> None:
    deployed.client("cloudformation").update_termination_protection(
        StackName=STACK, EnableTerminationProtection=True
    )
    done = deployed.pennyworth("remove", *PLACE, "--yes")
    assert done.returncode == 1
    assert "TerminationProtection" in done.stderr and "Traceback" not in done.stderr
    assert left(deployed)["credentials"] == {STACK, "other"}


def test_the_setup_goes_too_where_that_is_wanted(shell: Shell) -> None:
    shell.bootstrap("--stack-name", STACK)
    create(shell, STACK, TEMPLATE)
    kept = shell.pennyworth("remove", *PLACE, "--dry-run")
    assert f"pennyworth bootstrap --delete --stack-name {STACK} --region {REGION}" in kept.stderr
    elsewhere = shell.pennyworth("remove", "--stack-name", "other", "--region", REGION, "--all", "--yes")
    assert elsewhere.returncode == 1 and "belongs to the stack endpoint" in elsewhere.stderr
    done = shell.pennyworth("remove", *PLACE, "--all", "--yes")
    assert not done.returncode, done.stderr
    assert not shell.stacks()
    assert not shell.iam.list_roles()["Roles"]
    assert "AWS_DEPLOY_ROLE_ARN" not in shell.secrets


@pytest.mark.parametrize(("typed", "agreed"), [("endpoint\n", True), ("yes\n", False), ("\n", False)])
def test_only_the_stack_s_name_confirms(monkeypatch: pytest.MonkeyPatch, typed: str, agreed: bool) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    with nullcontext() if agreed else pytest.raises(OperationFailed, match=r"Nothing was deleted\."):
        remove._confirm(STACK)
