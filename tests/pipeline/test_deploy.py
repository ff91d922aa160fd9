"""The deployment step against the local AWS: what it passes on, what it recovers from, what it says of a failure."""

import os
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from pennyworth.aws import stack_events
from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.snapshot import Snapshot
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.aws.stack import Event, Stack
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import LocalAws
from pennyworth.pipeline.deploy.parameters import (
    BESIDE_THE_FUNCTION,
    RECORDS,
    hash_parameters,
)
from pennyworth.pipeline.deploy.secret_parameters import find_secrets
from pennyworth.pipeline.steps import deploy
from pennyworth.setup.recover import Recovered, recover

REGION = "us-west-2"
STACK = "deployed"
GOOD = """
Parameters:
  ApiKeys: {Type: String, NoEcho: true, Default: none}
  Plain: {Type: String, Default: plain}
Resources:
  Kept:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: /kept, Value: !Ref ApiKeys}
  Plainly:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: /plainly, Value: !Sub "${Plain}"}
Outputs:
  FunctionName: {Value: !Ref Kept}
"""
BAD = """
Resources:
  First:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: /first, Value: first}
  Second:
    Type: AWS::SSM::Parameter
    DependsOn: First
    Properties: {Type: String, Name: /first, Value: there is one of that name}
  Third:
    Type: AWS::SSM::Parameter
    DependsOn: Second
    Properties: {Type: String, Name: /third, Value: third}
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def account(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in aws.environ(REGION).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SAM_CLI_POLL_DELAY", "0.3")
    yield
    client("cloudformation").delete_stack(StackName=STACK)


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))
    return path


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def run(tmp_path: Path, template: str, **parameters: str) -> str:
    """Deploy a template; nothing stays behind in the runner's temporary folder."""
    path = tmp_path / "template.yaml"
    path.write_text(template)
    temporary = tmp_path / "runner"
    temporary.mkdir(exist_ok=True)
    named = {f"PARAMETER_{name}": value for name, value in parameters.items()}
    settings = {
        "TEMPLATE": str(path),
        "STACK_NAME": STACK,
        "AWS_REGION": REGION,
        "RUNNER_TEMP": str(temporary),
    }
    try:
        return deploy.run({**os.environ, **settings, **named}).text
    finally:
        assert not list(temporary.iterdir())


def there() -> Snapshot:
    """The stack as it is now."""
    found = Stack(STACK, REGION).describe()
    assert found
    return found


def stack_id() -> str:
    return there().id


@pytest.mark.usefixtures("account")
def test_creates_then_finds_nothing_to_do_then_updates(tmp_path: Path, output: Path) -> None:
    created = run(tmp_path, GOOD, Plain="one")
    assert created.startswith("Created: 2 resources.")
    assert "| created | Kept | AWS::SSM::Parameter |" in created
    assert run(tmp_path, GOOD, Plain="one").startswith("Nothing had changed")
    updated = run(tmp_path, GOOD, Plain="two")
    assert updated.startswith("Updated")
    assert "| updated | Plainly | AWS::SSM::Parameter |" in updated
    told = [line for line in output.read_text().splitlines() if line.startswith("changed=")]
    assert told == ["changed=true", "changed=false", "changed=true"]


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each DescribeStacks that this process makes; sam makes its own."""
    asked: list[str] = []
    call = BaseClient._make_api_call

    def counted(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "DescribeStacks":
            asked.append(arguments["StackName"])
        return call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)
    return asked


@pytest.mark.usefixtures("account")
def test_the_stack_is_asked_for_before_and_after_and_never_between(
    tmp_path: Path, described: list[str]
) -> None:
    run(tmp_path, GOOD, Plain="one")
    assert described == [STACK] * 2
    described.clear()
    run(tmp_path, GOOD, Plain="two")
    assert described == [STACK] * 2
    described.clear()
    with pytest.raises(OperationFailed):
        run(tmp_path, BAD)
    assert described == [STACK] * 2


@pytest.mark.usefixtures("account")
def test_an_emptied_setting_is_the_default_again(tmp_path: Path) -> None:
    run(tmp_path, GOOD, Plain="given")
    run(tmp_path, GOOD, Plain="")
    assert client("ssm").get_parameter(Name="/plainly")["Parameter"]["Value"] == "plain"


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "value",
    [
        'A="quoted"\nB=\'single\'\nC=back\\slash \\"escaped\\" \\ end\\',
        '"all quoted"',
        "spaces and = and , and $HOME and ü and 🙂",
        "file:///etc/passwd",
    ],
)
def test_a_secret_arrives_as_it_is_and_is_never_shown(
    tmp_path: Path, value: str, capfd: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, GOOD, ApiKeys=value)
    assert client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == value
    shown = [line for line in capfd.readouterr().out.splitlines() if not line.startswith("::add-mask::")]
    assert any("Parameter overrides" in line for line in shown)
    assert not any(line and line in "\n".join(shown) for line in value.splitlines())


@pytest.mark.usefixtures("account")
def test_a_failed_first_deployment_names_its_cause_and_is_cleared_by_the_next(tmp_path: Path) -> None:
    with pytest.raises(OperationFailed) as failed:
        run(tmp_path, BAD)
    assert failed.value.detail.startswith("Second (AWS::SSM::Parameter): ")
    assert there().status == "ROLLBACK_COMPLETE"
    remains = stack_id()
    created = run(tmp_path, GOOD)
    assert "remains of an earlier, failed first deployment were deleted" in created
    assert created.startswith("Created")
    assert stack_id() != remains


@pytest.mark.usefixtures("account")
def test_a_failed_update_leaves_the_stack_as_it_was(tmp_path: Path) -> None:
    run(tmp_path, GOOD, Plain="before")
    before = stack_id()
    with pytest.raises(OperationFailed, match="what it was before") as failed:
        run(tmp_path, BAD)
    assert failed.value.detail.startswith("Second")
    assert there().status == "UPDATE_ROLLBACK_COMPLETE"
    assert client("ssm").get_parameter(Name="/plainly")["Parameter"]["Value"] == "before"
    assert run(tmp_path, GOOD, Plain="after").startswith("Updated")
    assert stack_id() == before


@pytest.mark.usefixtures("account")
def test_a_stack_in_another_state_is_left_alone(tmp_path: Path) -> None:
    client("cloudformation").create_stack(StackName=STACK, TemplateBody=BAD, OnFailure="DO_NOTHING")
    before = stack_id()
    with pytest.raises(OperationFailed) as failed:
        run(tmp_path, GOOD)
    assert "CREATE_FAILED" in failed.value.title
    assert stack_id() == before


@pytest.mark.usefixtures("account")
def test_what_cloudformation_refuses_before_it_begins_is_named(tmp_path: Path) -> None:
    client("s3").create_bucket(
        Bucket="taken-by-somebody", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    taken = "  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: taken-by-somebody}}\n"
    run(tmp_path, GOOD)
    with pytest.raises(OperationFailed) as failed:
        run(tmp_path, GOOD.replace("Outputs:", f"{taken}Outputs:"))
    told = failed.value.detail
    assert told.startswith("Bucket (AWS::S3::Bucket) at /Resources/Bucket: ")
    assert "taken-by-somebody" in told and told.endswith("If nothing needs it, delete it.")


@pytest.mark.usefixtures("account")
def test_a_broken_stack_of_sams_own_is_told_with_what_to_do(tmp_path: Path) -> None:
    name = "aws-sam-cli-managed-default"
    client("cloudformation").delete_stack(StackName=name)
    body = "Resources: {Kept: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: not sam's}}}"
    client("cloudformation").create_stack(StackName=name, TemplateBody=body)
    try:
        with pytest.raises(OperationFailed, match="bucket of its own") as failed:
            run(tmp_path, GOOD)
        assert name in failed.value.detail
    finally:
        client("cloudformation").delete_stack(StackName=name)


@pytest.mark.usefixtures("account")
def test_what_fails_before_anything_changed_is_told_in_sams_words(tmp_path: Path) -> None:
    with pytest.raises(OperationFailed) as failed:
        run(tmp_path, "Resources:\n  Odd: {Type: AWS::Nowhere::ToBeFound}\n")
    assert "The stack was not changed" in failed.value.message
    assert failed.value.detail.startswith("Error: ")
    assert "AWS::Nowhere::ToBeFound" in failed.value.detail


def test_missing_settings_are_named() -> None:
    with pytest.raises(OperationFailed) as failed:
        deploy.run({"TEMPLATE": "template.yaml", "STACK_NAME": " "})
    assert "STACK_NAME" in failed.value.title


def test_each_secret_in_a_setting_is_masked_by_itself() -> None:
    keys = "sk-first-key, sk=second=key ,short"
    assert find_secrets({"ApiKeys": keys}) == ["sk-first-key", "sk=second=key"]
    dotenv = "# comment\nOPENAI_API_KEY='sk-a,b-12345'\n export B=\"longer=value\"\nAPI_VERSION=2024\n"
    assert find_secrets({"ProviderCredentials": dotenv}) == ["sk-a,b-12345", "longer=value"]


def test_secrets_are_found_in_every_form_that_is_understood() -> None:
    keys = "\ufeff'sk-first-key'\n\"sk-second-key\"\r\nsk-third key\nsk-fourth-key,sk-fourth-key"
    assert find_secrets({"ApiKeys": keys}) == [
        "sk-first-key",
        "sk-second-key",
        "sk-third key",
        "sk-fourth-key",
    ]
    pem = "-----BEGIN KEY-----\n  MIIE+/of-the-pem==\n-----END KEY-----"
    dotenv = (
        f"PEM='{pem}'\nJSON='{{\n \"private_key\": \"of-the-json\"\n}}'\n"
        'E="first-line\\nsecond-line"\nE=given-twice\n'
    )
    assert find_secrets({"ProviderCredentials": dotenv}) == [
        "-----BEGIN KEY-----",
        "MIIE+/of-the-pem==",
        "-----END KEY-----",
        '"private_key": "of-the-json"',
        "first-line",
        "second-line",
        "given-twice",
    ]


BOUNDED = """
Parameters:
  PermissionsBoundaryArn: {Type: String, Default: ""}
Conditions:
  Bounded: !Not [!Equals [!Ref PermissionsBoundaryArn, ""]]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      PermissionsBoundary: !If [Bounded, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
Outputs:
  RoleName: {Value: !Ref Role}
"""
NOTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'


def boundary() -> str | None:
    """What caps the deployed role."""
    role = client("iam").get_role(RoleName=there().outputs["RoleName"])["Role"]
    arn: str | None = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return arn


@pytest.mark.usefixtures("account")
def test_the_accounts_boundary_caps_the_stacks_roles_once_there_is_one(tmp_path: Path) -> None:
    run(tmp_path, BOUNDED)
    assert boundary() is None
    iam = client("iam")
    arn = iam.create_policy(PolicyName="pennyworth-stack-boundary", PolicyDocument=NOTHING)["Policy"]["Arn"]
    other = iam.create_policy(PolicyName="other", PolicyDocument=NOTHING)["Policy"]["Arn"]
    try:
        run(tmp_path, BOUNDED)
        assert boundary() == arn
        run(tmp_path, BOUNDED, PermissionsBoundaryArn=other)
        assert boundary() == other
    finally:
        iam.delete_policy(PolicyArn=arn)
        iam.delete_policy(PolicyArn=other)


def test_who_may_not_ask_for_the_boundary_deploys_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalAws(auth=True) as aws:
        for name, value in aws.environ(REGION).items():
            monkeypatch.setenv(name, value)
        iam = client("iam")
        iam.create_policy(PolicyName="pennyworth-stack-boundary", PolicyDocument=NOTHING)
        iam.create_user(UserName="deployer")
        document = NOTHING.replace("Deny", "Allow").replace('"*"', '"cloudformation:*"', 1)
        iam.put_user_policy(UserName="deployer", PolicyName="some", PolicyDocument=document)
        key = iam.create_access_key(UserName="deployer")["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it holds the keys that it first found
        with pytest.raises(OperationFailed) as failure:
            run(tmp_path, BOUNDED)
    assert "iam:GetPolicy on arn:aws:iam::" in failure.value.message
    assert "AccessDenied" in failure.value.detail


HELD = """
Resources:
  Held:
    Type: AWS::CloudFormation::WaitCondition
    DependsOn: Kept
    CreationPolicy: {ResourceSignal: {Count: 1, Timeout: PT1M}}
  Kept:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: /kept, Value: held}
"""


def held() -> None:
    """Have another operation at work on the stack, until `let_go`."""
    client("cloudformation").create_stack(StackName=STACK, TemplateBody=HELD)


def let_go() -> None:
    client("cloudformation").signal_resource(
        StackName=STACK, LogicalResourceId="Held", UniqueId="1", Status="SUCCESS"
    )


@pytest.mark.usefixtures("account")
def test_another_operation_is_waited_for_and_then_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAIT_MINUTES", "1")
    held()
    timer = threading.Timer(4, let_go)
    timer.start()
    try:
        assert run(tmp_path, GOOD).startswith("Updated")
    finally:
        timer.join()
    assert "The stack is in CREATE_IN_PROGRESS: waiting for the operation to finish" in capfd.readouterr().out


@pytest.mark.usefixtures("account")
def test_another_operation_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAIT_MINUTES", "0.02")
    held()
    try:
        with pytest.raises(OperationFailed, match="Another operation is in progress") as failed:
            run(tmp_path, GOOD)
        assert failed.value.title == "The stack is in CREATE_IN_PROGRESS"
    finally:
        let_go()
        client("cloudformation").get_waiter("stack_create_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )


@pytest.mark.usefixtures("account")
def test_events_are_told_as_they_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stack_events, "_QUIET_SECONDS", 2.0)
    seen = ""
    deployment = threading.Thread(target=run, args=(tmp_path, HELD))
    deployment.start()
    try:
        until = time.monotonic() + 60
        while "waiting for Held" not in seen and time.monotonic() < until:
            time.sleep(0.2)
            seen += capfd.readouterr().out
        # all of that while sam still runs
        assert deployment.is_alive()
        assert re.search(
            r"^ +0:\d\d CREATE_IN_PROGRESS   Held \(AWS::CloudFormation::WaitCondition\)", seen, re.M
        )
        assert re.search(r"CREATE_COMPLETE +Kept ", seen)
        assert "… waiting for Held" in seen
    finally:
        let_go()
        deployment.join(60)
    rest = capfd.readouterr().out
    assert re.search(r"CREATE_COMPLETE +Held ", rest.partition("::group::sam deploy")[0])
    assert not re.search(r"CREATE_COMPLETE +Kept ", rest.partition("::group::sam deploy")[0])


@pytest.mark.usefixtures("account")
def test_a_failing_resource_is_shown_as_an_error_and_what_followed_from_it_is_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OperationFailed):
        run(tmp_path, BAD)
    errors = re.findall(r"^::error title=([^:]*)", capfd.readouterr().out, re.MULTILINE)
    assert errors == ["Second%3A CREATE_FAILED"]


@pytest.mark.usefixtures("account")
def test_a_rollout_that_an_alarm_stopped_names_the_alarm() -> None:
    watching = client("cloudwatch")
    for name in ("errors", "throttles"):
        watching.put_metric_alarm(
            AlarmName=f"{STACK}-{name}",
            Namespace="AWS/Lambda",
            MetricName="Errors",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
    watching.set_alarm_state(AlarmName=f"{STACK}-errors", StateValue="ALARM", StateReason="7 of 9 failed")
    happened = [
        Event(id, resource, type, status, reason, datetime.now(UTC))
        for id, resource, type, status, reason in (
            ("1", "Function", "AWS::Lambda::Function", "UPDATE_COMPLETE", ""),
            ("2", "Alias", "AWS::Lambda::Alias", "UPDATE_FAILED", "One or more alarms have been activated"),
            ("3", "Api", "AWS::ApiGateway::Stage", "UPDATE_FAILED", "Resource update cancelled"),
        )
    ]
    cause = Stack(STACK, REGION).find_first_cause(happened)
    assert cause == (
        "Alias (AWS::Lambda::Alias): One or more alarms have been activated\ndeployed-errors is on: 7 of 9 failed"
    )


def test_what_the_function_depends_on_is_in_its_configuration_hash() -> None:
    """Whatever the function or its conditions refer to, and whatever those refer to."""
    template = (ROOT / "template.yaml").read_text()
    declared = set(SourceTemplate.read(ROOT / "template.yaml").parameters)
    conditions = dict(
        re.findall(r"^  (\w+): (!(?:.|\n   )*)", template.partition("\nConditions:\n")[2], re.M)
    )
    function = re.search(r"^  Function:\n(?:    .*\n|\n)*", template, re.MULTILINE)
    assert function
    text = function[0].partition("DeploymentPreference:")[0]
    for _ in range(3):
        text += " ".join(conditions.get(word, "") for word in set(re.findall(r"\w+", text)))
    used = set(re.findall(r"\w+", text)) & declared
    assert {"ModelProvider", "ApiKeys", "MemorySize", "CorsAllowOrigins"} <= used
    assert not used & BESIDE_THE_FUNCTION
    values = dict.fromkeys(declared, "one")
    for name in used - RECORDS:
        assert hash_parameters(values) != hash_parameters(values | {name: "other"}), name
    for name in BESIDE_THE_FUNCTION:
        assert hash_parameters(values) == hash_parameters(values | {name: "other"}), name


UPDATED = """
Parameters: {Client: {Type: String, Default: first}}
Resources:
  Known:
    Type: AWS::IAM::OIDCProvider
    Properties: {Url: "https://tokens.example.com", ClientIdList: [!Ref Client]}
"""
TAKEN = """  Taken:
    Type: AWS::SSM::Parameter
    DependsOn: Known
    Properties: {Type: String, Name: /kept-by-somebody, Value: else}
"""


@pytest.fixture
def half_updated(account: None) -> str:
    """A stack in UPDATE_FAILED, and the ARN of its resource that an update has changed."""
    cloudformation = client("cloudformation")
    client("ssm").put_parameter(Name="/kept-by-somebody", Value="else", Type="String", Overwrite=True)
    cloudformation.create_stack(StackName=STACK, TemplateBody=UPDATED)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 0.1})
    cloudformation.update_stack(
        StackName=STACK,
        TemplateBody=UPDATED + TAKEN,
        Parameters=[{"ParameterKey": "Client", "ParameterValue": "second"}],
        DisableRollback=True,
    )
    Stack(STACK, REGION).wait_until_idle(5, print)
    assert there().status == "UPDATE_FAILED"
    return Stack(STACK, REGION).list_physical_ids("AWS::IAM::OIDCProvider")["Known"]


def test_an_update_that_failed_without_a_rollback_is_gone_on_from(half_updated: str, tmp_path: Path) -> None:
    assert run(tmp_path, UPDATED, Client="third").startswith("Updated")
    assert client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=half_updated)[
        "ClientIDList"
    ] == ["third"]


def test_a_failed_update_is_rolled_back_by_hand_and_the_rollback_continued(
    half_updated: str, tmp_path: Path
) -> None:
    iam = client("iam")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=half_updated)
    with pytest.raises(Unprepared, match=r"UPDATE_ROLLBACK_FAILED: Known .* --skip"):
        recover(Account(REGION), STACK)
    with pytest.raises(OperationFailed, match="pennyworth recover") as stopped:
        run(tmp_path, UPDATED)
    assert stopped.value.title == "The stack is in UPDATE_ROLLBACK_FAILED"
    with pytest.raises(Unprepared, match="UPDATE_ROLLBACK_FAILED"):
        recover(Account(REGION), STACK)
    done = recover(Account(REGION), STACK, skip=["Known"])
    assert done == Recovered("UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE")
    with pytest.raises(OperationFailed, match="can be deployed as it is"):
        recover(Account(REGION), STACK)


@pytest.mark.usefixtures("account")
def test_what_a_failed_creation_left_is_deleted_by_hand_too(tmp_path: Path) -> None:
    client("cloudformation").create_stack(StackName=STACK, TemplateBody=BAD, OnFailure="DO_NOTHING")
    with pytest.raises(OperationFailed, match="pennyworth recover"):
        run(tmp_path, GOOD)
    assert recover(Account(REGION), STACK) == Recovered("CREATE_FAILED", "")
    assert run(tmp_path, GOOD).startswith("Created")
    with pytest.raises(OperationFailed, match="There is no stack"):
        recover(Account(REGION), "nowhere")
