"""A change set that was approved is the one that runs, and none runs once anything has moved."""

import base64
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from pennyworth.aws.packages import name_package_bucket
from pennyworth.aws.provenance import Provenance
from pennyworth.aws.stack import Stack
from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed
from pennyworth.local.aws.server import ACCOUNT, LocalAws
from pennyworth.pipeline.approval.change_set import (
    Inputs,
    check_change_set,
    discard_change_set,
    make_change_set,
)
from pennyworth.pipeline.deploy import deployment
from pennyworth.pipeline.deploy.deployment import NOTHING, deploy
from pennyworth.pipeline.preview import as_markdown
from pennyworth.pipeline.steps import change_set as step

REGION = "us-west-2"
STACK = "approved"
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  AlarmEmail: {Type: String, NoEcho: true, Default: ""}
  Days: {Type: Number, Default: 30}
  Provenance: {Type: String, Default: ""}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: Function.zip
      Runtime: python3.13
      Handler: app.handler
      Description: !Ref Provenance
      Role: !GetAtt Role.Arn
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/aws/${AWS::StackName}", RetentionInDays: !Ref Days}
"""


@dataclass
class Account:
    """The local AWS, and a folder with a built template."""

    aws: LocalAws
    folder: Path

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)

    def inputs(self, name: str, code: str = "1", **parameters: str) -> Inputs:
        """What makes a change set of a package with this code."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as zipped:
            zipped.writestr(zipfile.ZipInfo("app.py"), f"def handler(event, context): return {code}\n")
        (self.folder / "Function.zip").write_bytes(packed.getvalue())
        (self.folder / "template.yaml").write_text(TEMPLATE)
        digest = base64.b64encode(hashlib.sha256(packed.getvalue()).digest()).decode()
        given = {"Provenance": str(Provenance("a" * 40, digest, "0" * 12)), **parameters}
        return Inputs(STACK, REGION, name, given, self.folder, self.folder / "template.yaml")

    def run(self, inputs: Inputs, name: str | None = None) -> deployment.Deployment:
        """Execute a change set."""
        chosen = inputs.name if name is None else name
        return deploy(
            deployment.Inputs(Path(), STACK, REGION, {}, {}, self.folder, change_set=chosen, wait_seconds=60)
        )

    def names(self) -> list[str]:
        """The stack's change sets that could still be executed."""
        found = self.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"]
        return [one["ChangeSetName"] for one in found if one["ExecutionStatus"] == "AVAILABLE"]

    def days(self) -> int:
        """What runs."""
        (group,) = self.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/{STACK}")["logGroups"]
        return int(group["retentionInDays"])


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with LocalAws() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environ(REGION).items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        (tools,) = environment("tools").parent.glob("lib/python*/site-packages")
        patch.setattr(sys, "path", [*sys.path, str(tools)])  # sam, in whose environment a step runs
        patch.setattr(deployment, "_LOOK_SECONDS", 0.1)
        yield Account(aws, tmp_path_factory.mktemp("approved"))


@pytest.fixture
def deployed(account: Account) -> Account:
    """The account with the stack, which the first test creates."""
    if not Stack(STACK, REGION).describe():
        inputs = account.inputs("pennyworth-1-1")
        make_change_set(inputs)
        account.run(inputs)
    return account


def test_a_first_deployment_is_made_shown_discarded_and_made_again(account: Account) -> None:
    inputs = account.inputs("pennyworth-1-1", AlarmEmail="somebody@example.com")
    with pytest.raises(OperationFailed, match="no bucket"):
        make_change_set(inputs)
    bucket = name_package_bucket(ACCOUNT, REGION, STACK)
    account.client("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    name, found = make_change_set(inputs)
    assert name == "pennyworth-1-1"
    shown = as_markdown(found)
    assert "would create **3 resources**" in shown and "There is no change set" not in shown
    assert STACK not in shown and "somebody@example.com" not in shown
    discard_change_set(inputs)
    assert Stack(STACK, REGION).describe() is None  # nor is the empty stack left
    make_change_set(inputs)
    template = check_change_set(inputs)
    assert template and "s3://" in template.read_text()
    done = account.run(inputs)
    assert not done.existed and {change.resource for change in done.changes} == {"Role", "Function", "Logs"}
    assert account.days() == 30


@pytest.mark.usefixtures("deployed")
class TestUpdates:
    """Of the stack that the first test has created."""

    def test_the_very_change_set_runs_and_not_what_the_folder_holds_by_then(self, account: Account) -> None:
        inputs = account.inputs("pennyworth-2-1", Days="14")
        _, found = make_change_set(inputs)
        assert account.days() == 30
        assert [change.resource for change in found.resources] == ["Logs"]
        account.inputs("pennyworth-2-2", code="2", Days="3")  # writes another package and template
        assert check_change_set(inputs)
        assert "Logs" in [change.resource for change in account.run(inputs).changes]
        assert account.days() == 14

    def test_where_nothing_changes_there_is_nothing_to_run(self, account: Account) -> None:
        inputs = account.inputs("pennyworth-3-1", Days="14")
        name, found = make_change_set(inputs)
        assert name == NOTHING and found.nothing and account.names() == []
        assert check_change_set(replace(inputs, name=NOTHING)) is None
        assert account.run(inputs, NOTHING).changes == []

    def test_another_deployment_meanwhile_refuses_it(self, account: Account) -> None:
        waiting = account.inputs("pennyworth-4-1", Days="7")
        make_change_set(replace(waiting, tags={"team": "platform"}))
        made = account.client("cloudformation").describe_change_set(
            StackName=STACK, ChangeSetName=waiting.name
        )
        assert made["Tags"] == [{"Key": "team", "Value": "platform"}]
        other = account.inputs("pennyworth-4-2", Days="5")
        make_change_set(other)
        account.run(other)
        with pytest.raises(OperationFailed, match=r"has changed|is gone") as refused:
            check_change_set(waiting)
        assert "Run the workflow again" in refused.value.message
        assert account.days() == 5 and waiting.name not in account.names()
        with pytest.raises(OperationFailed, match=r"has run already|is gone"):
            check_change_set(other)

    def test_other_settings_after_the_approval_refuse_it(self, account: Account) -> None:
        inputs = account.inputs("pennyworth-5-1", Days="7")
        make_change_set(inputs)
        with pytest.raises(OperationFailed, match="settings are not those") as refused:
            check_change_set(replace(inputs, parameters={**inputs.parameters, "Days": "3"}))
        assert "differ in Days." in refused.value.message
        assert account.names() == []

    def test_another_package_in_the_bucket_refuses_it(self, account: Account) -> None:
        inputs = account.inputs("pennyworth-6-1", code="6")
        make_change_set(inputs)
        s3 = account.client("s3")
        bucket = name_package_bucket(ACCOUNT, REGION, STACK)
        listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
        newest = max(listed, key=lambda one: one["LastModified"])["Key"]
        for one in listed:
            s3.put_object(Bucket=bucket, Key=one["Key"], Body=b"stolen")
        assert newest.startswith(f"{STACK}/")
        with pytest.raises(OperationFailed, match="package is not the one"):
            check_change_set(inputs)
        assert account.names() == []

    def test_drift_is_reverted_by_cloudformations_own_mode(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []
        original = boto3.Session.client

        def client(self: boto3.Session, service: str, *words: Any, **given: Any) -> Any:
            made = original(self, service, *words, **given)
            if service == "cloudformation":
                made.meta.events.register(
                    "provide-client-params.cloudformation.CreateChangeSet",
                    lambda params, **_: asked.append(params.get("DeploymentMode")),
                )
            return made

        monkeypatch.setattr(boto3.Session, "client", client)
        inputs = replace(account.inputs("pennyworth-7-1", Days="1"), revert_drift=True)
        make_change_set(inputs)
        make_change_set(replace(inputs, revert_drift=False))
        assert asked == ["REVERT_DRIFT", None]
        discard_change_set(inputs)
        assert account.names() == []

    def test_a_change_set_that_is_gone_is_not_replaced_by_another(self, account: Account) -> None:
        inputs = account.inputs("pennyworth-8-1", Days="1")
        with pytest.raises(OperationFailed, match="change set is gone"):
            check_change_set(inputs)
        with pytest.raises(OperationFailed, match="change set is gone"):
            account.run(inputs)


def test_the_step_takes_its_own_operations_only() -> None:
    environ = {"OPERATION": "execute", "STACK_NAME": STACK, "AWS_REGION": REGION, "CHANGE_SET": "one"}
    with pytest.raises(OperationFailed, match="execute"):
        step.run(environ)
