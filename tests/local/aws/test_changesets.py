"""A change set says what AWS's would: what is replaced, and nothing of what a condition keeps away."""

import ast
import json
import subprocess
import time
from collections.abc import Iterable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pennyworth.aws.source_template import SourceTemplate
from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import LocalAws

from .conftest import REGION, client

STACK = "changed"
TEMPLATE = """
Parameters:
  Days: {Type: Number, Default: 30}
  Name: {Type: String, Default: /first}
  Wanted: {Type: String, Default: "no"}
Conditions:
  Wanted: !Equals [!Ref Wanted, "yes"]
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Ref Name, RetentionInDays: !Ref Days}
  More:
    Type: AWS::Logs::LogGroup
    Condition: Wanted
    Properties: {LogGroupName: /more, RetentionInDays: !Ref Days}
"""


SCHEMAS = """
import json, sys
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER as manager
schemas = {kind: manager.get_resource_schema("us-east-1", kind).schema for kind in sys.argv[1:]}
paths = {kind: schema.get("createOnlyProperties") or () for kind, schema in schemas.items()}
print(json.dumps({kind: sorted({path.split("/")[2] for path in found}) for kind, found in paths.items()}))
"""


@pytest.fixture(scope="module")
def cloudformation() -> Iterator[Any]:
    with LocalAws() as aws:
        found = client(aws, "cloudformation")
        found.create_stack(StackName=STACK, TemplateBody=TEMPLATE)
        found.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
        yield found


def changes(cloudformation: Any, **values: str) -> dict[str, dict[str, Any]]:
    name = f"set-{time.monotonic_ns()}"
    cloudformation.create_change_set(
        StackName=STACK,
        ChangeSetName=name,
        TemplateBody=TEMPLATE,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    )
    told = cloudformation.describe_change_set(StackName=STACK, ChangeSetName=name)["Changes"]
    return {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in told}


def test_what_can_be_changed_in_place_is_not_replaced(cloudformation: Any) -> None:
    found = changes(cloudformation, Days="7")
    assert {name: change["Replacement"] for name, change in found.items()} == {"Logs": "False"}


def test_another_name_takes_another_resource(cloudformation: Any) -> None:
    assert changes(cloudformation, Name="/second")["Logs"]["Replacement"] in ("True", "Conditional")


def test_a_condition_that_comes_to_hold_adds(cloudformation: Any) -> None:
    found = changes(cloudformation, Wanted="yes")
    assert {name: change["Action"] for name, change in found.items()} == {"More": "Add"}


def test_a_policy_may_hang_on_a_change_sets_name() -> None:
    may = {"Effect": "Allow", "Action": ["cloudformation:CreateChangeSet"], "Resource": "*"}
    named = {"StringLike": {"cloudformation:ChangeSetName": "looked-at-*"}}
    with LocalAws(auth=True) as aws:
        client(aws, "cloudformation").create_stack(StackName=STACK, TemplateBody=TEMPLATE)
        iam = client(aws, "iam")
        iam.create_user(UserName="looker")
        document = json.dumps({"Version": "2012-10-17", "Statement": [may | {"Condition": named}]})
        iam.put_user_policy(UserName="looker", PolicyName="look", PolicyDocument=document)
        key = iam.create_access_key(UserName="looker")["AccessKey"]
        looker = boto3.client(
            "cloudformation",
            region_name=REGION,
            endpoint_url=aws.endpoint,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        days = [{"ParameterKey": "Days", "ParameterValue": "7"}]
        asked = {"StackName": STACK, "TemplateBody": TEMPLATE, "Parameters": days}
        looker.create_change_set(**asked, ChangeSetName="looked-at-1")
        with pytest.raises(ClientError, match="AccessDenied"):
            looker.create_change_set(**asked, ChangeSetName="another")


def create_only(kinds: Iterable[str]) -> Any:
    """What cfn-lint's copies of the providers' schemas say."""
    command = [environment("tools") / "python", "-c", SCHEMAS, *kinds]
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def test_the_list_is_the_schemas_and_holds_the_templates_types() -> None:
    source = (ROOT / "src/pennyworth/local/aws/changesets.py").read_text()
    literals = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Dict)]
    listed: dict[str, str] = max(
        (
            ast.literal_eval(one)
            for one in literals
            if all(isinstance(each, ast.Constant) for each in one.values)
        ),
        key=len,
    )
    by_ministack = {"AWS::IAM::Role", "AWS::CertificateManager::Certificate"}
    kinds = {
        resource["Type"]
        for resource in SourceTemplate.read(ROOT / "template.yaml").transform({})["Resources"].values()
    }
    assert kinds - by_ministack == set(listed)
    assert {kind: sorted(names.split()) for kind, names in listed.items()} == create_only(listed)
