"""Two tests that share a local AWS see nothing of each other: it forgets, and it goes back to what was kept."""

import io
import json
import os
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pennyworth.local.aws.adapter import STAND_IN, VARIABLE
from pennyworth.local.aws.server import ACCOUNT, LocalAws, LocalAwsFailed

from .conftest import REGION, RUNTIME, client, deploy, ends

HELD = {
    "Held": {
        "Type": "AWS::CloudFormation::WaitCondition",
        "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT1M"}},
    },
    "After": {
        "Type": "AWS::SSM::Parameter",
        "DependsOn": "Held",
        "Properties": {"Type": "String", "Name": "/after", "Value": "late"},
    },
}
NOTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}'
CODE = "import os\ndef handler(event, context): return {'pid': os.getpid(), 'says': '%s'}\n"


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalAws]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, STAND_IN)
        with LocalAws() as aws:
            yield aws


@pytest.fixture
def aws(shared: LocalAws) -> LocalAws:
    shared.reset()
    return shared


def zipped(says: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("index.py", CODE % says)
    return buffer.getvalue()


def make_one_of_each(aws: LocalAws) -> None:
    """One resource of each kind that this project has to do with."""
    role = client(aws, "iam").create_role(RoleName="some", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client(aws, "iam").create_policy(PolicyName="some", PolicyDocument=NOTHING)
    client(aws, "iam").create_open_id_connect_provider(Url="https://example.com", ClientIDList=["some"])
    client(aws, "s3").create_bucket(Bucket="some", CreateBucketConfiguration={"LocationConstraint": REGION})
    client(aws, "s3").put_object(Bucket="some", Key="some", Body=b"some")
    client(aws, "ssm").put_parameter(Name="/some", Value="some", Type="SecureString")
    client(aws, "route53").create_hosted_zone(Name="example.com", CallerReference="some")
    client(aws, "acm").request_certificate(DomainName="example.com")
    client(aws, "sns").create_topic(Name="some")
    client(aws, "cloudwatch").put_metric_alarm(
        AlarmName="some", MetricName="some", Namespace="some", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold", Statistic="Sum",
    )  # fmt: skip
    client(aws, "logs").create_log_group(logGroupName="some")
    client(aws, "events").put_rule(Name="some", ScheduleExpression="rate(1 day)")
    client(aws, "cloudtrail").create_trail(Name="some", S3BucketName="some")
    client(aws, "dynamodb").create_table(
        TableName="some",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client(aws, "lambda").create_function(
        FunctionName="some", Role=role, Runtime=RUNTIME, Handler="index.handler",
        Code={"ZipFile": zipped("some")},
    )  # fmt: skip
    client(aws, "apigateway").create_rest_api(name="some")
    client(aws, "cloudformation").create_stack(
        StackName="some",
        TemplateBody=json.dumps(
            {"Resources": {"One": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"Made": {"Value": "one"}}}
        ),
    )
    client(aws, "cloudformation").get_waiter("stack_create_complete").wait(
        StackName="some", WaiterConfig={"Delay": 1}
    )


def there(aws: LocalAws) -> dict[str, Any]:
    """What an account holds."""
    listed = {
        "roles": client(aws, "iam").list_roles()["Roles"],
        "policies": client(aws, "iam").list_policies(Scope="Local")["Policies"],
        "providers": client(aws, "iam").list_open_id_connect_providers()["OpenIDConnectProviderList"],
        "buckets": client(aws, "s3").list_buckets()["Buckets"],
        "parameters": client(aws, "ssm").describe_parameters()["Parameters"],
        "zones": client(aws, "route53").list_hosted_zones()["HostedZones"],
        "certificates": client(aws, "acm").list_certificates()["CertificateSummaryList"],
        "topics": client(aws, "sns").list_topics()["Topics"],
        "alarms": client(aws, "cloudwatch").describe_alarms()["MetricAlarms"],
        "log groups": client(aws, "logs").describe_log_groups()["logGroups"],
        "rules": client(aws, "events").list_rules()["Rules"],
        "trails": client(aws, "cloudtrail").describe_trails()["trailList"],
        "tables": client(aws, "dynamodb").list_tables()["TableNames"],
        "functions": client(aws, "lambda").list_functions()["Functions"],
        "apis": client(aws, "apigateway").get_rest_apis()["items"],
        "stacks": client(aws, "cloudformation").list_stacks()["StackSummaries"],
    }
    return {kind: found for kind, found in listed.items() if found}


@pytest.mark.parametrize("turn", [1, 2])
def test_two_tests_do_not_see_each_others_resources(aws: LocalAws, turn: int) -> None:
    assert there(aws) == {}
    make_one_of_each(aws)
    assert len(there(aws)) == 16


def test_what_comes_with_an_account_is_there_after_a_reset_too(aws: LocalAws) -> None:
    assert client(aws, "iam").get_policy(PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert client(aws, "sts").get_caller_identity()["Account"] == ACCOUNT


def test_a_kept_moment_comes_back_whole_and_more_than_once(aws: LocalAws) -> None:
    make_one_of_each(aws)
    aws.keep("made")  # which waits until nothing changes by itself
    before = there(aws)
    for _ in range(2):
        client(aws, "ssm").put_parameter(Name="/some", Value="changed", Type="SecureString", Overwrite=True)
        client(aws, "s3").put_object(Bucket="some", Key="some", Body=b"changed")
        client(aws, "cloudformation").delete_stack(StackName="some")
        client(aws, "sns").create_topic(Name="more")
        assert there(aws) != before
        aws.restore("made")
        assert there(aws) == before
        assert client(aws, "s3").get_object(Bucket="some", Key="some")["Body"].read() == b"some"
        parameter = client(aws, "ssm").get_parameter(Name="/some", WithDecryption=True)["Parameter"]
        assert parameter["Value"] == "some"
        (stack,) = client(aws, "cloudformation").describe_stacks(StackName="some")["Stacks"]
        assert [output["OutputValue"] for output in stack["Outputs"]] == ["one"]


def test_a_function_is_kept_once_it_is_ready(aws: LocalAws) -> None:
    """Nothing would make a function ready that comes back while it was being created."""
    make_one_of_each(aws)
    functions = client(aws, "lambda")
    functions.update_function_configuration(FunctionName="some", Description="changed")
    aws.keep("made")
    aws.restore("made")
    found = functions.get_function_configuration(FunctionName="some")
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")


def test_a_deployed_endpoint_answers_after_it_was_brought_back(aws: LocalAws) -> None:
    deployed = deploy(aws)
    group = os.getpgid(deployed.json("/some?what=ever")["pid"])
    aws.keep("deployed")
    aws.reset()
    assert ends(group, 5)  # the environments of functions go too
    assert deployed.open("/some?what=ever").status != 200
    aws.restore("deployed")
    assert deployed.json("/some?what=ever")["path"] == "/some?what=ever"


def test_an_environment_that_was_at_work_serves_nobody_afterwards(aws: LocalAws) -> None:
    deployed = deploy(aws)
    group = os.getpgid(deployed.json("/")["pid"])
    aws.keep("deployed")
    answered: list[Any] = []
    caller = threading.Thread(target=lambda: answered.append(deployed.json("/sleep?seconds=3")))
    caller.start()
    while deployed.log("/conformance/app").count("START RequestId") < 2:
        assert caller.is_alive()
        time.sleep(0.02)
    aws.restore("deployed")
    caller.join(10)
    assert ends(group, 5)
    assert os.getpgid(deployed.json("/")["pid"]) != group


def test_a_rollout_group_is_forgotten(aws: LocalAws) -> None:
    """It lies beside MiniStack's own stores: an alarm of a deployment group that is gone stops nobody."""
    group = {
        "Type": "AWS::CodeDeploy::DeploymentGroup",
        "Properties": {
            "ApplicationName": "some",
            "ServiceRoleArn": "arn:aws:iam::123456789012:role/some",
            "AlarmConfiguration": {"Enabled": True, "Alarms": [{"Name": "some"}]},
        },
    }
    stacks = client(aws, "cloudformation")
    create(aws, {"Group": group})
    aws.reset()
    make_one_of_each(aws)
    client(aws, "cloudwatch").set_alarm_state(AlarmName="some", StateValue="ALARM", StateReason="test")
    client(aws, "lambda").publish_version(FunctionName="some")
    client(aws, "lambda").publish_version(FunctionName="some", Description="two")
    create(aws, {"Alias": alias("1")})
    stacks.update_stack(
        StackName="other", TemplateBody=json.dumps({"Resources": {"Alias": alias("$LATEST")}})
    )
    stacks.get_waiter("stack_update_complete").wait(StackName="other", WaiterConfig={"Delay": 1})


def alias(version: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Alias",
        "Properties": {"FunctionName": "some", "FunctionVersion": version, "Name": "live"},
    }


def create(aws: LocalAws, resources: dict[str, Any]) -> None:
    stacks = client(aws, "cloudformation")
    stacks.create_stack(StackName="other", TemplateBody=json.dumps({"Resources": resources}))
    stacks.get_waiter("stack_create_complete").wait(StackName="other", WaiterConfig={"Delay": 1})


def test_what_cloudformation_is_at_is_dropped(aws: LocalAws) -> None:
    stacks = client(aws, "cloudformation")
    aws.keep("empty")
    for go_back in (aws.reset, lambda: aws.restore("empty")):
        stacks.create_stack(StackName="held", TemplateBody=json.dumps({"Resources": HELD}))
        go_back()
        assert there(aws) == {}
        with pytest.raises(ClientError):
            stacks.signal_resource(StackName="held", LogicalResourceId="Held", UniqueId="1", Status="SUCCESS")
        create(aws, {"One": {"Type": "AWS::SNS::Topic"}})
        assert set(there(aws)) == {"stacks", "topics"}
        aws.reset()


def test_sessions_end_with_their_account() -> None:
    with LocalAws(auth=True) as aws:
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        iam = client(aws, "iam")
        iam.create_role(
            RoleName="some",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        session = client(aws, "sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/some", RoleSessionName="some"
        )["Credentials"]
        someone = client(
            aws, "sts", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
        )
        arn = someone.get_caller_identity()["Arn"]
        aws.keep("assumed")
        aws.reset()
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            someone.get_caller_identity()
        aws.restore("assumed")
        assert someone.get_caller_identity()["Arn"] == arn


def test_what_was_never_kept_can_not_be_restored(aws: LocalAws) -> None:
    with pytest.raises(LocalAwsFailed, match="404"):
        aws.restore("never")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{aws.endpoint}/_pennyworth/never", timeout=5)  # noqa: S310  # loopback
