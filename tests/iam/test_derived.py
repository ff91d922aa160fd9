"""`pennyworth policy`: the checked-in documents follow from the template, and a changed one says what it adds."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT
from tests import warm

TEMPLATE = (ROOT / "template.yaml").read_text()

DATA = """
  Usage:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
  Files:
    Type: AWS::S3::Bucket
    Properties:
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true}
  FilesPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Files
      PolicyDocument: {}
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Sub "/${AWS::StackName}/setting", Type: String, Value: on}
"""


def policy(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `pennyworth policy`."""
    return subprocess.run(
        [warm.tools() / "policy-python", "-m", "pennyworth.iam.policy", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "src")},
    )


def extended(folder: Path, resources: str) -> Path:
    """The template with more resources."""
    before, outputs = TEMPLATE.split("\nOutputs:\n")
    path = folder / "template.yaml"
    path.write_text(f"{before}{resources}\nOutputs:\n{outputs}")
    return path


def derived(template: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The statements of each document by their names."""
    told = policy("--template", template)
    assert told.returncode == 0, told.stderr
    documents: dict[str, Any] = json.loads(told.stdout)
    return {
        name: {statement["Sid"]: statement for statement in document["Statement"]}
        for name, document in documents.items()
    }


def test_the_checked_in_documents_are_what_the_template_needs() -> None:
    told = policy("--check")
    assert (told.returncode, told.stderr) == (0, "")


def test_resources_of_data_get_their_own_statements_by_the_stacks_names(tmp_path: Path) -> None:
    data = derived(extended(tmp_path, DATA))["data"]
    account = "${REGION}:${ACCOUNT_ID}"
    deploys = f"arn:${{PARTITION}}:codedeploy:{account}"
    assert {sid: statement["Resource"] for sid, statement in data.items()} == {
        "Alarms": f"arn:${{PARTITION}}:cloudwatch:{account}:alarm:${{STACK_NAME}}-*",
        "Applications": f"{deploys}:application:${{STACK_NAME}}-*",
        "Dashboards": "arn:${PARTITION}:cloudwatch::${ACCOUNT_ID}:dashboard/${STACK_NAME}",
        "DeploymentConfigs": f"{deploys}:deploymentconfig:CodeDeployDefault.Lambda*",
        "DeploymentGroups": f"{deploys}:deploymentgroup:${{STACK_NAME}}-*/${{STACK_NAME}}-*",
        "FindAlarms": "*",
        "CodeSigning": [
            f"arn:${{PARTITION}}:lambda:{account}:code-signing-config:*",
            f"arn:${{PARTITION}}:lambda:{account}:function:${{STACK_NAME}}-*",
        ],
        "Rules": f"arn:${{PARTITION}}:events:{account}:rule/${{STACK_NAME}}-keep-warm",
        "WebAcls": [
            "arn:${PARTITION}:apigateway:${REGION}::/restapis/*",
            f"arn:${{PARTITION}}:wafv2:{account}:regional/webacl/*",
        ],
        "Networks": "*",
        "Keys": f"arn:${{PARTITION}}:kms:{account}:key/*",
        "StopRollouts": "*",
        "Topics": f"arn:${{PARTITION}}:sns:{account}:${{STACK_NAME}}-*",
        "Tables": f"arn:${{PARTITION}}:dynamodb:{account}:table/${{STACK_NAME}}-*",
        "NewBuckets": "arn:${PARTITION}:s3:::${STACK_NAME}-*",
        "Buckets": "arn:${PARTITION}:s3:::${STACK_NAME}-*",
        "Parameters": f"arn:${{PARTITION}}:ssm:{account}:parameter/${{STACK_NAME}}/setting",
    }
    assert data["Buckets"]["Condition"] == {"StringEquals": {"aws:ResourceAccount": "${ACCOUNT_ID}"}}


def test_only_properties_in_use_ask_for_what_they_need(tmp_path: Path) -> None:
    data = derived(extended(tmp_path, DATA))["data"]
    tables = data["Tables"]["Action"]
    assert "dynamodb:UpdateTimeToLive" in tables
    assert not {"dynamodb:UpdateContinuousBackups", "dynamodb:Scan", "dynamodb:PutItem"} & set(tables)
    buckets = data["Buckets"]["Action"]
    assert {"s3:PutBucketPublicAccessBlock", "s3:PutBucketPolicy"} <= set(buckets)
    assert not {"s3:PutLifecycleConfiguration", "s3:DeleteObject", "s3:PutBucketAcl"} & set(buckets)


def test_an_added_resource_tells_what_to_add_and_who_asks(tmp_path: Path) -> None:
    told = policy("--check", "--template", extended(tmp_path, DATA))
    assert told.returncode == 1
    (line,) = [line for line in told.stderr.splitlines() if "dynamodb:CreateTable" in line]
    assert line.startswith("policies/data.json, statement Tables: missing ")
    assert line.endswith(", needed by Usage (AWS::DynamoDB::Table)")
    assert "deploy-boundary" not in told.stderr  # it has room for data


def test_a_removed_resource_tells_what_is_needless(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    start, end = TEMPLATE.index("  Domain:\n"), TEMPLATE.index("\nOutputs:\n")
    template.write_text(TEMPLATE[:start] + TEMPLATE[end:])
    told = policy("--check", "--template", template)
    assert told.returncode == 1
    assert "policies/resources.json, statement Domains: unneeded apigateway:DELETE" in told.stderr
    assert "policies/deployment.json, statement ApiGatewayOwnRole: unneeded iam:Create" in told.stderr


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        pytest.param(
            "  Jobs: {Type: AWS::SQS::Queue}",
            "Jobs (AWS::SQS::Queue): src/pennyworth/iam/policy/scopes.toml has no entry for this type",
            id="a type that nobody knows",
        ),
        pytest.param(
            "  Setting: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: on}}",
            "Give the resource a name that begins with ${AWS::StackName}",
            id="a name that only a deployment tells",
        ),
        pytest.param(
            "  Other:\n    Type: AWS::IAM::Role\n    Properties: {AssumeRolePolicyDocument: {}}",
            "Other (AWS::IAM::Role): give it PermissionsBoundary",
            id="a role without the boundary",
        ),
        pytest.param(
            "  Extra:\n    Type: AWS::Serverless::Function\n"
            "    Properties: {CodeUri: src/, Handler: a.b, Runtime: python3.13}",
            "ExtraRole (AWS::IAM::Role): give it PermissionsBoundary",
            id="a role that SAM adds",
        ),
        pytest.param(
            "  Extra:\n    Type: AWS::Lambda::Function\n"
            "    Properties: {Code: {}, Role: !GetAtt FunctionRole.Arn, FileSystemConfigs: []}",
            "it also needs elasticfilesystem:",
            id="an action of another service",
        ),
        pytest.param(
            "  Other:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: {}\n"
            "      PermissionsBoundary: !Ref PermissionsBoundaryArn\n      Policies:\n"
            "        - PolicyName: all\n          PolicyDocument:\n"
            "            Statement: [{Effect: Allow, Action: 'ec2:RunInstances', Resource: '*'}]",
            "policies/stack-boundary.json does not allow ec2:RunInstances on *, which Other has",
            id="a right beyond the stack's boundary",
        ),
        pytest.param(
            "  Files:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: somebody-elses}",
            "policies/deploy-boundary.json does not allow s3:CreateBucket on arn:${PARTITION}:s3:::somebody-elses",
            id="a name beyond the deploy role's boundary",
        ),
    ],
)
def test_what_no_policy_can_be_written_for_is_refused(tmp_path: Path, resources: str, said: str) -> None:
    told = policy("--template", extended(tmp_path, resources))
    assert told.returncode == 1
    assert said in told.stderr


def test_a_managed_policy_is_attached_only_as_the_template_names_it(tmp_path: Path) -> None:
    role = """
  Other:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {}
      PermissionsBoundary: !Ref PermissionsBoundaryArn
      ManagedPolicyArns: [!Sub "arn:${AWS::Partition}:iam::aws:policy/AWSXRayDaemonWriteAccess"]
"""
    statement = derived(extended(tmp_path, role))["deployment"]["ManagedPoliciesOfRoles"]
    assert statement["Action"] == ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    assert statement["Condition"]["ArnEquals"] == {
        "iam:PolicyARN": "arn:${PARTITION}:iam::aws:policy/AWSXRayDaemonWriteAccess"
    }
    assert "iam:PermissionsBoundary" in statement["Condition"]["StringEquals"]


def test_each_need_names_who_asks_and_why() -> None:
    told = policy("--needs")
    needs = json.loads(told.stdout)
    assert all(need["by"] and need["why"] and need["resources"] for need in needs)
    (create,) = [need for need in needs if need["action"] == "lambda:CreateFunction"]
    assert (create["by"], create["why"]) == ("Function (AWS::Lambda::Function)", "create")


STALE = """
from dataclasses import replace
from pennyworth.iam.policy.check import find_stale_rules
from pennyworth.iam.policy.rules import LeftOut, read_rules
entry = LeftOut("AWS::Lambda::Function", ["lambda:NoSuchAction"], "", unless=["NoSuchProperty"])
print(*find_stale_rules(replace(read_rules(), left_out=[entry])), sep="\\n")
"""


def test_what_was_left_out_must_still_be_asked_for() -> None:
    """That nothing is stale now is a part of --check."""
    told = subprocess.run(
        [environment("tools") / "python", "-c", STALE],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    assert told.stdout.splitlines() == [
        "left_out.toml: no handler of AWS::Lambda::Function lists lambda:NoSuchAction",
        "left_out.toml: AWS::Lambda::Function has no property NoSuchProperty",
    ]


def test_write_makes_the_documents_and_their_tables_anew(tmp_path: Path) -> None:
    rooms = ("iam", "aws", "github", "host")
    for name in ("policies", *(f"src/pennyworth/{room}" for room in rooms)):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "src/pennyworth/__init__.py", tmp_path / "src/pennyworth/")
    policies = tmp_path / "policies"
    before = {path.name: path.read_text() for path in policies.iterdir()}
    (policies / "resources.json").write_text('{"Version": "2012-10-17", "Statement": []}')
    (policies / "README.md").write_text(before["README.md"].replace("| `Functions` |", "| `Other` |"))
    told = subprocess.run(
        [
            *(environment("tools") / "python", "-m", "pennyworth.iam.policy"),
            *("--write", "--template", ROOT / "template.yaml"),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "src")},
    )
    assert told.stdout.splitlines() == ["wrote policies/resources.json"]
    assert {path.name: path.read_text() for path in policies.iterdir()} == before
