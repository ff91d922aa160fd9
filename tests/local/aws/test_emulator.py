"""Each place where MiniStack is reached into still does what it is reached into for."""

import ast
import base64
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT
from pennyworth.local.aws import bootstrap
from pennyworth.local.aws.adapter import STAND_IN
from pennyworth.local.aws.server import ACCOUNT, LocalAws
from tests.iam import test_trust

from . import test_changesets, test_states
from .conftest import DOMAIN, REGION, Deployed, client, ends

either = pytest.mark.parametrize("deployed", [STAND_IN], indirect=True)


@either
def test_an_imported_api_keeps_its_settings(deployed: Deployed) -> None:
    gateway = deployed.client("apigateway")
    (custom,) = [
        one
        for one in gateway.get_gateway_responses(restApiId=deployed.api)["items"]
        if not one["defaultResponse"]
    ]
    assert custom["responseType"] == "DEFAULT_5XX"
    assert "$context.error.responseType" in custom["responseTemplates"]["application/json"]
    assert gateway.get_rest_api(restApiId=deployed.api)["binaryMediaTypes"]


@either
def test_an_imported_path_keeps_its_any_method(deployed: Deployed) -> None:
    assert {"/": ["ANY"], "/{proxy+}": ["ANY"]}.items() <= methods(deployed).items()


@either
def test_an_imported_integration_keeps_its_timeout(deployed: Deployed) -> None:
    gateway = deployed.client("apigateway")
    paths = {
        one["path"]: one["id"] for one in gateway.get_resources(restApiId=deployed.api, limit=500)["items"]
    }
    integration = gateway.get_integration(
        restApiId=deployed.api, resourceId=paths["/impatient/{proxy+}"], httpMethod="ANY"
    )
    assert integration["timeoutInMillis"] == 600
    assert integration["responseTransferMode"] == "STREAM"


@either
def test_json_pointers_are_binary_media_types(deployed: Deployed) -> None:
    seen = deployed.json("/", method="POST", body=b"\xff\x00", headers={"Content-Type": "image/png"})
    assert base64.b64decode(seen["body"]) == b"\xff\x00"


@either
def test_an_apis_own_address_is_served_by_host(deployed: Deployed) -> None:
    stage, *_ = deployed.client("apigateway").get_stages(restApiId=deployed.api)["item"]
    host = f"{deployed.api}.execute-api.{REGION}.amazonaws.com"
    seen = deployed.json(f"/{stage['stageName']}/own", headers={"Host": host})
    assert seen["path"].endswith("/own")


@either
def test_a_custom_domain_is_its_own_addresses_front(deployed: Deployed) -> None:
    for path in ("/v1", "/v1/some/path"):
        seen = deployed.json(path, headers={"Host": deployed.aws.endpoint.removeprefix("http://")})
        assert seen["path"] == path
    beside = deployed.open("/v10", headers={"Host": deployed.aws.endpoint.removeprefix("http://")})
    assert b"NoSuchBucket" in beside.read()


@either
def test_an_api_answers_for_its_own_health(deployed: Deployed) -> None:
    own = deployed.aws.endpoint.removeprefix("http://")
    for host, path in (
        (DOMAIN, "/health"),
        (own, "/health"),
        (own, f"/_aws/execute-api/{deployed.api}/v1/health"),
    ):
        assert deployed.open(path, headers={"Host": host}).read() == b"ok"
    emulator = deployed.json("/_ministack/health", headers={"Host": own})
    assert "services" in emulator


@either
def test_a_streaming_uri_streams(deployed: Deployed) -> None:
    response = deployed.open("/pace?chunks=2&pause=0.5")
    assert response.read1() == b"data: 0\n\n"
    assert response.headers["transfer-encoding"] == "chunked"


@either
def test_an_invocation_runs_in_an_environment_of_its_own(deployed: Deployed) -> None:
    first, second = invoked(deployed), invoked(deployed)
    assert first == second  # an idle environment is used again
    command = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(first)], capture_output=True, text=True, check=True
    )
    assert str(bootstrap.__file__) in command.stdout


@either
def test_a_changed_function_loses_its_environments(deployed: Deployed) -> None:
    before = os.getpgid(invoked(deployed))
    deployed.client("lambda").update_function_configuration(
        FunctionName="plain", Environment={"Variables": {"CHANGED": str(time.time())}}
    )
    assert ends(before, 5)
    assert os.getpgid(invoked(deployed)) != before


def test_loopback_counts_as_tls() -> None:
    policy: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::guarded/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    }
    with LocalAws(auth=True) as aws:
        storage = client(aws, "s3")
        storage.create_bucket(Bucket="guarded", CreateBucketConfiguration={"LocationConstraint": REGION})
        storage.put_bucket_policy(Bucket="guarded", Policy=json.dumps(policy))
        iam = client(aws, "iam")
        iam.create_user(UserName="someone")
        allowed = {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        }
        iam.put_user_policy(UserName="someone", PolicyName="all", PolicyDocument=json.dumps(allowed))
        key = iam.create_access_key(UserName="someone")["AccessKey"]
        someone = client(aws, "s3", key["AccessKeyId"], key["SecretAccessKey"])
        someone.put_object(Bucket="guarded", Key="x", Body=b"let in")
        policy["Statement"]["Condition"]["Bool"]["aws:SecureTransport"] = "true"
        storage.put_bucket_policy(Bucket="guarded", Policy=json.dumps(policy))
        with pytest.raises(ClientError, match="AccessDenied"):
            someone.put_object(Bucket="guarded", Key="x", Body=b"kept out")


def test_calls_are_recorded_as_iam_sees_them(tmp_path: Path) -> None:
    with LocalAws(record=tmp_path / "calls") as aws:
        iam = client(aws, "iam")
        iam.create_user(UserName="someone")
        key = iam.create_access_key(UserName="someone")["AccessKey"]
        as_someone = (key["AccessKeyId"], key["SecretAccessKey"])
        with pytest.raises(ClientError, match="AccessDenied"):
            client(aws, "cloudformation", *as_someone).describe_stacks(StackName="one")
        with pytest.raises(ClientError, match="not authorized"):
            client(aws, "apigateway", *as_someone).get_rest_api(restApiId="abc")
        with pytest.raises(ClientError, match="AccessDenied"):
            client(aws, "s3", *as_someone).get_bucket_encryption(Bucket="one")
        client(aws, "logs").create_log_group(logGroupName="/of/one", tags={"a": "b"})
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    someone = "arn:aws:iam::123456789012:user/someone"
    assert [(call["action"], call["resource"]) for call in calls if call["caller"] == someone] == [
        ("cloudformation:DescribeStacks", f"arn:aws:cloudformation:{REGION}:123456789012:stack/one/*"),
        ("apigateway:GET", f"arn:aws:apigateway:{REGION}::/restapis/abc"),
        ("s3:GetEncryptionConfiguration", "arn:aws:s3:::one"),
    ]
    assert {call["allowed"] for call in calls if call["caller"] == someone} == {False}
    assert calls[-1] == {
        "caller": "arn:aws:iam::123456789012:root",
        "action": "logs:CreateLogGroup",
        "resource": f"arn:aws:logs:{REGION}:123456789012:log-group:/of/one",
        "region": REGION,
        "context": {"aws:requesttag/a": "b", "aws:TagKeys": ["a"]},
        "allowed": True,
    }


def test_a_call_on_one_alias_is_judged_as_such() -> None:
    with LocalAws(auth=True) as aws:
        iam = client(aws, "iam")
        iam.create_user(UserName="someone")
        one = f"arn:aws:lambda:{REGION}:123456789012:function:one"
        iam.put_user_policy(
            UserName="someone", PolicyName="look", PolicyDocument=allow("lambda:GetAlias", one, f"{one}:*")
        )
        key = iam.create_access_key(UserName="someone")["AccessKey"]
        someone = client(aws, "lambda", key["AccessKeyId"], key["SecretAccessKey"])
        alias = {"FunctionName": "one", "Name": "live"}
        with pytest.raises(ClientError, match="ResourceNotFound"):
            someone.get_alias(**alias)
        with pytest.raises(ClientError, match="perform: lambda:UpdateAlias"):
            someone.update_alias(**alias, FunctionVersion="1")
        with pytest.raises(ClientError, match="perform: lambda:DeleteAlias"):
            someone.delete_alias(**alias)
        with pytest.raises(ClientError, match="perform: lambda:ListAliases"):
            someone.list_aliases(FunctionName="one")


def test_a_policys_older_version_becomes_its_default_again() -> None:
    with LocalAws(auth=True) as aws:
        iam = client(aws, "iam")
        arn = policy(iam, "versioned", "s3:GetObject")
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=allow("s3:PutObject"), SetAsDefault=True)
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
        defaults = {
            one["VersionId"]: one["IsDefaultVersion"]
            for one in iam.list_policy_versions(PolicyArn=arn)["Versions"]
        }
        assert defaults == {"v1": True, "v2": False}
        with pytest.raises(ClientError, match="NoSuchEntity"):
            iam.set_default_policy_version(PolicyArn=arn, VersionId="v9")


def test_a_simulation_looks_at_every_resource_the_context_and_the_boundary() -> None:
    passing = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    with LocalAws(auth=True) as aws:
        iam = client(aws, "iam")
        own, other = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("own", "other"))
        allowed = policy(iam, "allowed", "iam:PassRole", own, other, **passing)
        source = iam.create_role(
            RoleName="asked",
            AssumeRolePolicyDocument=allow("sts:AssumeRole"),
            PermissionsBoundary=policy(iam, "boundary", "iam:PassRole", own),
        )["Role"]["Arn"]
        iam.attach_role_policy(RoleName="asked", PolicyArn=allowed)

        def decisions(service: str) -> list[str]:
            told = iam.simulate_principal_policy(
                PolicySourceArn=source,
                ActionNames=["iam:PassRole"],
                ResourceArns=[own, other],
                ContextEntries=[
                    {
                        "ContextKeyName": "iam:PassedToService",
                        "ContextKeyValues": [service],
                        "ContextKeyType": "string",
                    }
                ],
            )["EvaluationResults"]
            return [one["EvalDecision"] for one in told]

        assert decisions("lambda.amazonaws.com") == ["allowed", "implicitDeny"]  # the second by the boundary
        assert decisions("ec2.amazonaws.com") == ["implicitDeny", "implicitDeny"]


def test_whoever_may_simulate_one_principal_may_not_simulate_another() -> None:
    with LocalAws(auth=True) as aws:
        iam = client(aws, "iam")
        arns = [iam.create_user(UserName=name)["User"]["Arn"] for name in ("someone", "another")]
        iam.attach_user_policy(
            UserName="someone", PolicyArn=policy(iam, "look", "iam:SimulatePrincipalPolicy", arns[0])
        )
        key = iam.create_access_key(UserName="someone")["AccessKey"]
        someone = client(aws, "iam", key["AccessKeyId"], key["SecretAccessKey"])
        someone.simulate_principal_policy(PolicySourceArn=arns[0], ActionNames=["s3:GetObject"])
        with pytest.raises(ClientError, match="AccessDenied"):
            someone.simulate_principal_policy(PolicySourceArn=arns[1], ActionNames=["s3:GetObject"])


BOUNDED = """
Parameters: {Boundary: {Type: String, Default: ""}}
Conditions: {Bounded: !Not [!Equals [!Ref Boundary, ""]]}
Resources:
  Provider:
    Type: AWS::IAM::OIDCProvider
    Properties: {Url: "https://issuer.example", ClientIdList: [sts.amazonaws.com]}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: bounded
      PermissionsBoundary: !If [Bounded, !Ref Boundary, !Ref "AWS::NoValue"]
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: sts:AssumeRoleWithWebIdentity
            Principal: {Federated: !Ref Provider}
Outputs:
  Arn: {Value: !GetAtt Provider.Arn}
"""


def test_stacks_hold_identity_providers_and_boundaries_of_roles() -> None:
    with LocalAws() as aws:
        stacks, iam = client(aws, "cloudformation"), client(aws, "iam")

        def finished(operation: str) -> None:
            waiter = stacks.get_waiter(f"stack_{operation}_complete")
            waiter.wait(StackName="bounded", WaiterConfig={"Delay": 1, "MaxAttempts": 20})

        def given(boundary: str) -> dict[str, Any]:
            parameter = {"ParameterKey": "Boundary", "ParameterValue": boundary}
            return {
                "StackName": "bounded",
                "TemplateBody": BOUNDED,
                "Parameters": [parameter],
                "Capabilities": ["CAPABILITY_NAMED_IAM"],
            }

        def boundary() -> str | None:
            found = iam.get_role(RoleName="bounded")["Role"].get("PermissionsBoundary", {})
            return found.get("PermissionsBoundaryArn")

        limit = policy(iam, "limit", "s3:GetObject")
        stacks.create_stack(**given(limit))
        finished("create")
        provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example"
        assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["ClientIDList"] == [
            "sts.amazonaws.com"
        ]
        role = iam.get_role(RoleName="bounded")["Role"]["AssumeRolePolicyDocument"]
        assert role["Statement"][0]["Principal"] == {"Federated": provider}
        (stack,) = stacks.describe_stacks(StackName="bounded")["Stacks"]
        assert stack["Outputs"][0]["OutputValue"] == provider
        assert boundary() == limit
        stacks.update_stack(**given(""))
        finished("update")
        assert boundary() is None
        stacks.create_stack(**{**given(""), "StackName": "second"})
        with pytest.raises(WaiterError):  # an account has one provider for an issuer
            stacks.get_waiter("stack_create_complete").wait(StackName="second", WaiterConfig={"Delay": 1})
        stacks.delete_stack(StackName="bounded")
        finished("delete")
        assert not iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]


PLACES = {
    ("ministack.services.apigateway_v1", "_import_rest_api"): test_an_imported_api_keeps_its_settings,
    ("ministack.services.apigateway_v1", "_import_path_item"): test_an_imported_path_keeps_its_any_method,
    ("ministack.services.apigateway_v1", "_import_operation"): test_an_imported_integration_keeps_its_timeout,
    ("ministack.services.apigateway_v1", "_media_type_matches"): test_json_pointers_are_binary_media_types,
    ("ministack.services.apigateway_v1", "_invoke_lambda_proxy_v1"): test_a_streaming_uri_streams,
    (
        "ministack.services.lambda_svc",
        "_execute_function_dispatch",
    ): test_an_invocation_runs_in_an_environment_of_its_own,
    ("ministack.services.lambda_svc", "invalidate_worker"): test_a_changed_function_loses_its_environments,
    ("ministack.app", "pin_request_origin"): test_loopback_counts_as_tls,
    ("ministack.app", "_parse_execute_api_url"): test_an_apis_own_address_is_served_by_host,
    ("ministack.app", "_resolve_custom_domain_request"): test_a_custom_domain_is_its_own_addresses_front,
    ("ministack.app", "_handle_health_request"): test_an_api_answers_for_its_own_health,
    ("ministack.app", "_handle_admin_reset"): test_states.test_two_tests_do_not_see_each_others_resources,
    (
        "ministack.services.iam",
        "handle_request",
    ): test_a_simulation_looks_at_every_resource_the_context_and_the_boundary,
    (
        "ministack.core.iam_actions",
        "extract_resource_arn",
    ): test_whoever_may_simulate_one_principal_may_not_simulate_another,
    (
        "ministack.core.iam_actions",
        "request_tag_context",
    ): test_changesets.test_a_policy_may_hang_on_a_change_sets_name,
    (
        "ministack.services.cloudformation.stacks",
        "_property_recreation",
    ): test_changesets.test_what_can_be_changed_in_place_is_not_replaced,
    (
        "ministack.services.cloudformation.changesets",
        "_resolve_props_for_diff",
    ): test_changesets.test_a_condition_that_comes_to_hold_adds,
    ("ministack.core.iam_actions", "_lambda_action"): test_a_call_on_one_alias_is_judged_as_such,
    (
        "ministack.services.sts",
        "_web_identity_principal",
    ): test_trust.test_the_local_sts_agrees_about_workflows,
    (
        "ministack.services.sts",
        "_web_identity_trust_denied",
    ): test_trust.test_the_local_sts_takes_no_token_out_of_its_time,
    ("ministack.core.iam_evaluator", "enforce"): test_calls_are_recorded_as_iam_sees_them,
}


def test_every_place_has_a_test() -> None:
    asked = (
        "import os; from pathlib import Path; from pennyworth.local.aws import emulator;"
        " from pennyworth.local.aws.functions import Functions;"
        " told = emulator.places(Functions(Path()), '', Path(os.devnull));"
        " print([(module.__name__, name) for module, name, _ in told])"
    )
    told = subprocess.run(
        [environment("localaws") / "python", "-c", asked],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    assert set(ast.literal_eval(told.stdout)) == set(PLACES)


def allow(action: str, *resources: str, **condition: Any) -> str:
    """A policy document with one statement."""
    statement = {
        "Effect": "Allow",
        "Action": action,
        "Resource": list(resources) or "*",
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy(iam: Any, name: str, action: str, *resources: str, **condition: Any) -> str:
    """A managed policy's ARN."""
    document = allow(action, *resources, **condition)
    return str(iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"])


def methods(deployed: Deployed) -> dict[str, list[str]]:
    gateway = deployed.client("apigateway")
    found = gateway.get_resources(restApiId=deployed.api, embed=["methods"], limit=500)["items"]
    return {one["path"]: sorted(one.get("resourceMethods", {})) for one in found}


def invoked(deployed: Deployed) -> int:
    """The process that answered an invocation of `plain`."""
    functions = deployed.client("lambda")
    functions.get_waiter("function_updated_v2").wait(FunctionName="plain")
    return int(json.loads(functions.invoke(FunctionName="plain", Payload=b"{}")["Payload"].read())["pid"])
