"""A gradual rollout as a stack meets it: its resources can be had, and an alarm of the stack's stops it."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from pennyworth.local.aws.server import LocalAws

from .conftest import RUNTIME, client

STACK = "gradual"
TEMPLATE = f"""
Parameters:
  ConfigHash: {{Type: String}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: sts:AssumeRole
            Principal: {{Service: [codedeploy.amazonaws.com, lambda.amazonaws.com]}}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: {RUNTIME}
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Description: !Ref ConfigHash
      Code: {{ZipFile: "def handler(event, context): return 1"}}
  Version:
    Type: AWS::Lambda::Version
    UpdateReplacePolicy: Retain
    Properties: {{FunctionName: !Ref Function, Description: !Ref ConfigHash}}
  Alias:
    Type: AWS::Lambda::Alias
    UpdatePolicy:
      CodeDeployLambdaAliasUpdate: {{ApplicationName: !Ref Application, DeploymentGroupName: !Ref Group}}
    Properties: {{Name: live, FunctionName: !Ref Function, FunctionVersion: !GetAtt Version.Version}}
  Application:
    Type: AWS::CodeDeploy::Application
    Properties: {{ComputePlatform: Lambda}}
  Group:
    Type: AWS::CodeDeploy::DeploymentGroup
    Properties:
      ApplicationName: !Ref Application
      ServiceRoleArn: !GetAtt Role.Arn
      DeploymentConfigName: CodeDeployDefault.LambdaCanary10Percent5Minutes
      AlarmConfiguration: {{Enabled: true, Alarms: [{{Name: !Ref Alarm}}]}}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: {STACK}-errors
      Namespace: AWS/ApiGateway
      MetricName: 5XXError
      Statistic: Sum
      ComparisonOperator: GreaterThanThreshold
      Threshold: 0
      Period: 60
      EvaluationPeriods: 1
Outputs:
  Function: {{Value: !Ref Function}}
  Group: {{Value: !Ref Group}}
"""


class Stack:
    """The stack above, on a local AWS of its own."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws
        self._stacks = self.client("cloudformation")

    def client(self, service: str) -> Any:
        return client(self._aws, service)

    def deploy(self, release: str, *, creates: bool = False) -> None:
        """Deploy.

        Raises:
            WaiterError: it failed.
        """
        call = self._stacks.create_stack if creates else self._stacks.update_stack
        given = [{"ParameterKey": "ConfigHash", "ParameterValue": release}]
        call(StackName=STACK, TemplateBody=TEMPLATE, Parameters=given, Capabilities=["CAPABILITY_IAM"])
        waiter = self._stacks.get_waiter(f"stack_{'create' if creates else 'update'}_complete")
        waiter.wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def live(self) -> str:
        """The version that callers reach."""
        (stack,) = self._stacks.describe_stacks(StackName=STACK)["Stacks"]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        assert outputs["Group"].startswith(f"{STACK}-Group-")
        alias = self.client("lambda").get_alias(FunctionName=outputs["Function"], Name="live")
        return str(alias["FunctionVersion"])

    def reasons(self) -> str:
        """Why resources failed."""
        events = self._stacks.describe_stack_events(StackName=STACK)["StackEvents"]
        return "\n".join(
            event.get("ResourceStatusReason", "")
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        )


@pytest.fixture
def stack() -> Iterator[Stack]:
    with LocalAws() as aws:
        yield Stack(aws)


def test_callers_move_to_a_new_version_unless_an_alarm_is_on(stack: Stack) -> None:
    stack.deploy("one", creates=True)
    assert stack.live() == "1"
    stack.deploy("two")
    assert stack.live() == "2"
    alarm = {"AlarmName": f"{STACK}-errors", "StateReason": "it fails"}
    stack.client("cloudwatch").set_alarm_state(StateValue="ALARM", **alarm)
    with pytest.raises(WaiterError):
        stack.deploy("three")
    assert f"Activated alarms: <{STACK}-errors>" in stack.reasons()
    assert stack.live() == "2"
    stack.client("cloudwatch").set_alarm_state(StateValue="OK", **alarm)
    stack.deploy("four")
    assert stack.live() not in {"1", "2"}
    stack.client("cloudformation").delete_stack(StackName=STACK)
    waiter = stack.client("cloudformation").get_waiter("stack_delete_complete")
    waiter.wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
