"""What is in the way of an endpoint's resources, on the local AWS."""

import boto3
import pytest

from pennyworth.aws.account import Account
from pennyworth.aws.name_conflicts import find_conflicts, find_remedy
from pennyworth.aws.source_template import SourceTemplate
from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import LocalAws

REGION = "us-west-2"
DOMAIN = "names.example.com"


@pytest.fixture
def account(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Account:
    for name, value in local_aws.environ(REGION).items():
        monkeypatch.setenv(name, value)
    return Account(REGION)


def test_everything_of_the_same_name_is_found_and_nothing_else(account: Account) -> None:
    template = SourceTemplate.read(ROOT / "template.yaml")
    route53 = boto3.client("route53")
    zone = route53.create_hosted_zone(Name=DOMAIN, CallerReference=DOMAIN)["HostedZone"]["Id"].split("/")[-1]
    parameters = {"BaseDomain": DOMAIN, "Route53HostedZoneId": zone}
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/taken-by-another")  # not this one, though it begins so
    assert find_conflicts(account, "taken", template, parameters) == []

    record = {"Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": "elsewhere.example.com"}]}
    change = {"Action": "CREATE", "ResourceRecordSet": {"Name": f"api.{DOMAIN}", **record}}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    logs.create_log_group(logGroupName="/aws/lambda/taken")
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_dashboard(DashboardName="taken", DashboardBody='{"widgets": []}')
    cloudwatch.put_metric_alarm(
        AlarmName="taken-errors",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    boto3.client("apigateway").create_domain_name(
        domainName=f"api.{DOMAIN}", endpointConfiguration={"types": ["REGIONAL"]}
    )
    found = find_conflicts(account, "taken", template, parameters)
    assert {one.resource: one.name for one in found} == {
        "Dashboard": "taken",
        "Domain": f"api.{DOMAIN}",
        "DomainRecord": f"api.{DOMAIN}",
        "ErrorsAlarm": "taken-errors",
        "LogGroup": "/aws/lambda/taken",
    }
    for one in found:
        assert one.name in str(one)
        assert "If nobody" in one.remedy or "If nothing" in one.remedy
    assert {one.resource for one in find_conflicts(account, "taken", template, {})} == {
        "Dashboard",
        "ErrorsAlarm",
        "LogGroup",
    }


def test_what_the_stack_has_itself_is_in_nobodys_way(account: Account) -> None:
    body = """
Resources:
  LogGroup:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/aws/lambda/${AWS::StackName}"}
"""
    boto3.client("cloudformation").create_stack(StackName="mine", TemplateBody=body)
    boto3.client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName="mine", WaiterConfig={"Delay": 1}
    )
    assert find_conflicts(account, "mine", SourceTemplate.parse(body), {}) == []


def test_a_type_without_a_remedy_of_its_own_has_a_plain_one() -> None:
    assert "outside of the stack" in find_remedy("AWS::SQS::Queue", "queue")
    assert "--alarm-names a-b." in find_remedy("AWS::CloudWatch::Alarm", "a-b")
