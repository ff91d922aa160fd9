"""The stack as CloudFormation gets it: template.yaml after SAM's own transform."""

import copy
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from pennyworth.aws.template_values import EvaluatedTemplate
from pennyworth.host.environments import clean_environ, environment
from pennyworth.host.places import made
from pennyworth.pipeline.build.target import TEMPLATE, Target

Document = dict[str, Any]

DOMAIN = {"BaseDomain": "example.com", "Route53HostedZoneId": "Z0123456789"}
CERTIFICATE = {"AcmCertificateArn": "arn:aws:acm:us-west-2:123456789012:certificate/0a1b2c3d"}
PARAMETER_STORE = {"ssm:GetParametersByPath"}
BEDROCK = {"bedrock-mantle:CreateInference", "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"}
PARAMETERS = {
    "nothing set": {},
    "a domain": DOMAIN,
    "a domain and its certificate": {**DOMAIN, **CERTIFICATE},
    "x86_64 and another Python": {"Architecture": "x86_64", "PythonRuntime": "python3.11"},
    "Bedrock": {"ModelProvider": "bedrock"},
    "a gradual rollout": {"Rollout": "canary-10-percent-5-minutes"},
    "no monitoring": {"Monitoring": "no"},
}
ALWAYS = {"Fn::Equals": ["", ""]}
ROLES = {"FunctionRole": "lambda.amazonaws.com", "RolloutRole": "codedeploy.amazonaws.com"}


class NoManagedPolicies:
    """The template names none, so SAM need not ask AWS for their list."""

    def load(self) -> dict[str, str]:
        raise AssertionError("the template must not name managed policies")


@pytest.fixture(scope="module")
def source() -> str:
    return TEMPLATE.read_text()


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")


def transformed(
    source: str, parameters: Mapping[str, str], package: str = "s3://bucket/package.zip"
) -> Document:
    """What CloudFormation makes of the template, without what its conditions leave out."""
    document = yaml_parse(source)
    document["Resources"]["Function"]["Properties"]["CodeUri"] = package
    values = {
        name: str(given.get("Default", "")) for name, given in document["Parameters"].items()
    } | parameters
    result = transform(copy.deepcopy(document), dict(values), NoManagedPolicies())
    holds = {name: conditions(document, values).holds(name) for name in document["Conditions"]}
    for section in ("Resources", "Outputs"):
        result[section] = {
            name: item for name, item in result[section].items() if holds.get(item.get("Condition"), True)
        }
    return resolve(result, holds)


def conditions(document: Document, values: Mapping[str, str]) -> EvaluatedTemplate:
    """What decides the template's conditions and its rules' assertions."""
    return EvaluatedTemplate({"Conditions": document["Conditions"]}, values)


def resolve(node: Any, holds: Mapping[str, bool]) -> Any:
    """The same with each Fn::If replaced by its branch, and AWS::NoValue left out."""
    if isinstance(node, dict):
        if set(node) == {"Fn::If"}:
            condition, yes, no = node["Fn::If"]
            return resolve(yes if holds[condition] else no, holds)
        pairs = {key: resolve(value, holds) for key, value in node.items()}
        return {key: value for key, value in pairs.items() if value != {"Ref": "AWS::NoValue"}}
    if isinstance(node, list):
        return [item for item in (resolve(item, holds) for item in node) if item != {"Ref": "AWS::NoValue"}]
    return node


def of_type(document: Document, kind: str) -> list[Document]:
    return [item["Properties"] for item in document["Resources"].values() if item["Type"] == kind]


def methods(document: Document) -> Iterator[tuple[str, Document]]:
    """Every method of every path of the API, however it is written."""
    (api,) = of_type(document, "AWS::ApiGateway::RestApi")
    for path, item in api["Body"]["paths"].items():
        for method, given in item.items():
            yield f"{method} {path}", given["x-amazon-apigateway-integration"]
    for given in of_type(document, "AWS::ApiGateway::Method"):
        yield str(given.get("ResourceId")), given["Integration"]


def assert_streams(document: Document) -> None:
    integrations = dict(methods(document))
    assert set(integrations) == {
        "x-amazon-apigateway-any-method /",
        "x-amazon-apigateway-any-method /{proxy+}",
    }
    for name, integration in integrations.items():
        assert integration["type"] == "aws_proxy", name
        assert integration["httpMethod"] == "POST", name
        assert integration["responseTransferMode"] == "STREAM", name
        assert integration["timeoutInMillis"] == 900_000, name
        uri = json.dumps(integration["uri"])
        assert "2021-11-15/functions/${FunctionAliaslive}/response-streaming-invocations" in uri, name


@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
def test_every_method_streams_for_up_to_15_minutes(source: str, parameters: dict[str, str]) -> None:
    document = transformed(source, parameters)
    assert_streams(document)
    (function,) = of_type(document, "AWS::Lambda::Function")
    assert function["Timeout"] == 900


@pytest.mark.parametrize("event", ["Root", "Proxy"])
def test_a_buffered_method_would_be_noticed(source: str, event: str) -> None:
    """API Gateway's own word for it, STREAM, is ignored by SAM, and no linter says so."""
    where = source.index(f"        {event}:\n")
    broken = source[:where] + source[where:].replace("RESPONSE_STREAM\n", "STREAM\n", 1)
    with pytest.raises((AssertionError, KeyError)):
        assert_streams(transformed(broken, {}))


def test_without_a_domain_there_is_only_the_plain_api_url(source: str) -> None:
    document = transformed(source, {})
    for kind in ("ApiGateway::DomainName", "ApiGateway::BasePathMapping", "Route53::RecordSet"):
        assert not of_type(document, f"AWS::{kind}")
    assert not of_type(document, "AWS::CertificateManager::Certificate")
    assert set(document["Outputs"]) == {
        "ApiUrl",
        "CredentialsPath",
        "FunctionName",
        "FunctionArn",
        "FunctionRoleArn",
        "LogGroupName",
        "FunctionAlias",
        "FunctionVersion",
        "DashboardUrl",
    }
    (stage,) = of_type(document, "AWS::ApiGateway::Stage")
    assert stage["StageName"] == "v1"
    assert document["Outputs"]["ApiUrl"]["Value"]["Fn::Sub"].endswith("/v1")


def test_a_domain_gets_a_record_and_a_certificate_of_its_own(source: str) -> None:
    document = transformed(source, DOMAIN)
    (certificate,) = of_type(document, "AWS::CertificateManager::Certificate")
    assert certificate["ValidationMethod"] == "DNS"
    assert certificate["DomainValidationOptions"][0]["HostedZoneId"] == {"Ref": "Route53HostedZoneId"}
    (domain,) = of_type(document, "AWS::ApiGateway::DomainName")
    assert domain["DomainName"] == certificate["DomainName"] == {"Fn::Sub": "api.${BaseDomain}"}
    assert domain["RegionalCertificateArn"] == {"Ref": "Certificate"}
    assert domain["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    (mapping,) = of_type(document, "AWS::ApiGateway::BasePathMapping")
    (stage,) = (
        name for name, item in document["Resources"].items() if item["Type"] == "AWS::ApiGateway::Stage"
    )
    assert mapping["Stage"] == {"Ref": stage}
    assert "BasePath" not in mapping
    (record,) = of_type(document, "AWS::Route53::RecordSet")
    assert record["AliasTarget"]["DNSName"] == {"Fn::GetAtt": ["Domain", "RegionalDomainName"]}
    assert document["Outputs"]["CustomDomainUrl"]["Value"] == {"Fn::Sub": "https://${Domain}/v1"}


def test_a_certificate_that_is_given_is_used(source: str) -> None:
    document = transformed(source, {**DOMAIN, **CERTIFICATE})
    assert not of_type(document, "AWS::CertificateManager::Certificate")
    (domain,) = of_type(document, "AWS::ApiGateway::DomainName")
    assert domain["RegionalCertificateArn"] == {"Ref": "AcmCertificateArn"}


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        ({}, None),
        (DOMAIN, None),
        ({**DOMAIN, **CERTIFICATE}, None),
        ({"BaseDomain": "example.com"}, "BaseDomain needs Route53HostedZoneId"),
        (CERTIFICATE, "AcmCertificateArn is for a custom domain"),
        (
            {"ApiKeys": "sk-key"},
            "ApiKeys and ProviderCredentials reach the function with a new version alone",
        ),
        ({"ProviderCredentials": "A=b", "ConfigHash": "1"}, None),
        ({"ThrottleRate": "5", "ThrottleBurst": "10"}, None),
        ({"ThrottleRate": "5"}, "ThrottleRate and ThrottleBurst need each other"),
        ({"ThrottleBurst": "5"}, "ThrottleRate and ThrottleBurst need each other"),
        ({"SubnetIds": "subnet-0a1b2c3d"}, "SubnetIds and SecurityGroupIds need each other"),
        ({"SecurityGroupIds": "sg-0a1b2c3d"}, "SubnetIds and SecurityGroupIds need each other"),
        ({"ProvisionedConcurrency": "1", "KeepWarm": "5"}, "ProvisionedConcurrency keeps environments ready"),
        ({"ProvisionedConcurrency": "1"}, None),
        ({"KeepWarm": "5"}, None),
        ({"SnapStart": "yes", "KeepWarm": "5"}, None),
        ({"SnapStart": "yes", "ProvisionedConcurrency": "1"}, "SnapStart and ProvisionedConcurrency exclude"),
        ({"SnapStart": "yes", "PythonRuntime": "python3.11"}, "SnapStart needs PythonRuntime python3.12"),
        ({"ExecuteApiEndpoint": "no"}, "ExecuteApiEndpoint can be no only with a custom domain"),
        ({"ExecuteApiEndpoint": "no", **DOMAIN}, None),
    ],
)
def test_parameters_that_lack_another_are_refused_with_a_reason(
    source: str, parameters: dict[str, str], refused: str | None
) -> None:
    document = yaml_parse(source)
    values = {
        name: str(given.get("Default", "")) for name, given in document["Parameters"].items()
    } | parameters
    said = [
        assertion["AssertDescription"]
        for rule in document["Rules"].values()
        if conditions(document, values).holds(rule.get("RuleCondition", ALWAYS))
        for assertion in rule["Assertions"]
        if not conditions(document, values).holds(assertion["Assert"])
    ]
    assert len(said) == (1 if refused else 0)
    assert refused is None or said[0].startswith(refused)


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (
            "AllowedIps",
            ["", "203.0.113.7", "203.0.113.0/24,2001:db8::/32", "::1,255.255.255.255/32"],
            [
                "203.0.113.0/33",
                "256.0.0.1",
                "1.2.3",
                "a.b.c.d",
                "1.2.3.4, 5.6.7.8",
                "1.2.3.4,",
                "abc",
                "::/129",
            ],
        ),
        (
            "WebAclArn",
            ["", "arn:aws:wafv2:us-west-2:123456789012:regional/webacl/mine/0a1b-2c"],
            ["mine", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/mine/0a1b-2c"],
        ),
        ("SubnetIds", ["", "subnet-0a1b2c3d,subnet-0123456789abcdef0"], ["vpc-0a1b2c3d", "subnet-0a1b2c3d,"]),
        ("SecurityGroupIds", ["", "sg-0a1b2c3d"], ["default", "sg-0a1b2c3d sg-0a1b2c3e"]),
        (
            "KmsKeyArn",
            ["", "arn:aws:kms:us-west-2:123456789012:key/0a1b2c3d-0000"],
            ["alias/mine", "arn:aws:kms:us-west-2:123456789012:alias/mine"],
        ),
        (
            "BaseDomain",
            ["", "example.com", "a-b.example.co.uk"],
            ["https://example.com", "example", "Example.com"],
        ),
        ("Route53HostedZoneId", ["", "Z0123456789ABCDEFGHIJ"], ["/hostedzone/Z0123", "example.com."]),
        (
            "AcmCertificateArn",
            ["", *CERTIFICATE.values()],
            ["arn:aws:iam::123456789012:server-certificate/x"],
        ),
        ("ModelProvider", ["openai", "vertex_ai"], ["", "OpenAI", "openai/gpt-4o"]),
        (
            "WebAdapterLayerArn",
            ["", "arn:aws:lambda:us-west-2:753240598075:layer:LambdaAdapterLayerArm64:30"],
            ["arn:aws:lambda:us-west-2:753240598075:layer:LambdaAdapterLayerArm64"],
        ),
        (
            "PermissionsBoundaryArn",
            ["", "arn:aws:iam::123456789012:policy/a/path/cap", "arn:aws-cn:iam::aws:policy/ReadOnlyAccess"],
            ["cap", "arn:aws:iam::123456789012:role/cap"],
        ),
        ("ConfigHash", ["", "2026-11-25T18.30", "0a1b2c"], ["two words", "x" * 65]),
        ("AlarmEmail", ["", "me@example.com"], ["me", "me@example", "you @example.com"]),
        (
            "AlarmTopicArn",
            ["", "arn:aws:sns:us-west-2:123456789012:alarms"],
            ["alarms", "arn:aws:sqs:us-west-2:123456789012:alarms"],
        ),
    ],
)
def test_values_of_the_wrong_kind_are_refused(
    source: str, parameter: str, good: list[str], bad: list[str]
) -> None:
    given = yaml_parse(source)["Parameters"][parameter]
    pattern = re.compile(given["AllowedPattern"])
    assert given["ConstraintDescription"].startswith("must be")
    assert all(pattern.fullmatch(value) for value in good)
    assert not any(pattern.fullmatch(value) for value in bad)


@pytest.mark.parametrize("rollout", ["all-at-once", "linear-10-percent-every-1-minute"])
@pytest.mark.parametrize(
    ("given", "expected"), [("", []), ("arn:aws:iam::123456789012:policy/cap", ["PermissionsBoundary"])]
)
def test_every_role_carries_the_boundary_that_is_given(
    source: str, rollout: str, given: str, expected: list[str]
) -> None:
    document = transformed(source, {"PermissionsBoundaryArn": given, "Rollout": rollout})
    roles = {
        name: item["Properties"]
        for name, item in document["Resources"].items()
        if item["Type"] == "AWS::IAM::Role"
    }
    assert set(roles) == {"FunctionRole"} | ({"RolloutRole"} if rollout != "all-at-once" else set())
    for name, role in roles.items():
        assert [name for name in role if name == "PermissionsBoundary"] == expected
        assert role.get("PermissionsBoundary") in (None, {"Ref": "PermissionsBoundaryArn"})
        (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trusted["Principal"] == {"Service": ROLES[name]}


@pytest.mark.parametrize(("architecture", "layer"), [("arm64", "Arm64"), ("x86_64", "X86")])
def test_the_web_adapter_fits_the_architecture(source: str, architecture: str, layer: str) -> None:
    (function,) = of_type(transformed(source, {"Architecture": architecture}), "AWS::Lambda::Function")
    ((arn, names),) = (item["Fn::Sub"] for item in function["Layers"])
    assert names == {"Layer": f"LambdaAdapterLayer{layer}"}
    assert arn == "arn:${AWS::Partition}:lambda:${AWS::Region}:753240598075:layer:${Layer}:30"
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    own = {"WebAdapterLayerArn": "arn:aws:lambda:us-west-2:123456789012:layer:adapter:1"}
    (function,) = of_type(transformed(source, own), "AWS::Lambda::Function")
    assert function["Layers"] in ([own["WebAdapterLayerArn"]], [{"Ref": "WebAdapterLayerArn"}])


@pytest.mark.parametrize(
    ("parameters", "needed"),
    [
        ({}, PARAMETER_STORE),
        ({"ModelProvider": "anthropic"}, PARAMETER_STORE),
        ({"ModelProvider": "bedrock"}, PARAMETER_STORE | BEDROCK),
        ({"ModelProvider": "bedrock", "BedrockAccess": "no"}, PARAMETER_STORE),
        ({"BedrockAccess": "yes", "ApiKeys": "sk-key"}, BEDROCK),
        ({"ProviderCredentials": "A=b"}, set()),
    ],
)
def test_the_function_may_write_its_own_logs_and_no_more_than_it_needs(
    source: str, parameters: dict[str, str], needed: set[str]
) -> None:
    (role,) = of_type(transformed(source, parameters), "AWS::IAM::Role")
    statements = [item for policy in role["Policies"] for item in policy["PolicyDocument"]["Statement"]]
    assert statements[0]["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statements[0]["Resource"] == {"Fn::GetAtt": ["LogGroup", "Arn"]}
    actions = {action for item in statements for action in item["Action"]}
    assert {action for action in actions if not action.startswith("logs:")} == needed
    assert "ManagedPolicyArns" not in role


@pytest.mark.parametrize(
    ("parameters", "reads"),
    [({}, True), ({"ApiKeys": "sk-key"}, False), ({"ProviderCredentials": "A=b"}, False)],
)
def test_credentials_are_parameters_below_the_stacks_own_path_or_plain_variables(
    source: str, parameters: dict[str, str], reads: bool
) -> None:
    document = transformed(source, parameters)
    path = {"Fn::Sub": "/${AWS::StackName}/credentials"}
    (function,) = of_type(document, "AWS::Lambda::Function")
    assert function["Environment"]["Variables"].get("PENNYWORTH_PARAMETERS") == (path if reads else None)
    assert document["Outputs"].get("CredentialsPath", {}).get("Value") == (path if reads else None)
    (role,) = of_type(document, "AWS::IAM::Role")
    statements = [item for policy in role["Policies"] for item in policy["PolicyDocument"]["Statement"]]
    resources = [item["Resource"] for item in statements if item["Action"] == ["ssm:GetParametersByPath"]]
    place = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"
    assert resources == ([{"Fn::Sub": f"{place}{path['Fn::Sub']}"}] if reads else [])


def test_nothing_asks_for_more_than_capability_iam_or_for_account_wide_settings(source: str) -> None:
    document = transformed(source, DOMAIN)
    for kind, name in (("Role", "RoleName"), ("ManagedPolicy", "ManagedPolicyName")):
        assert not any(name in given for given in of_type(document, f"AWS::IAM::{kind}"))
    assert not of_type(document, "AWS::ApiGateway::Account")
    (stage,) = of_type(document, "AWS::ApiGateway::Stage")
    # either would need API Gateway's CloudWatch role, which is set for the whole account
    assert not {"AccessLogSetting", "MethodSettings"} & set(stage)


def test_a_changed_setting_reaches_callers_by_a_new_version(source: str) -> None:
    """SAM publishes no version where only a parameter's value changes: its description changes with it, then."""
    document = transformed(source, {})
    (function,) = of_type(document, "AWS::Lambda::Function")
    variables = function["Environment"]["Variables"]
    assert variables["LITELLM_API_KEYS"] == {"Ref": "ApiKeys"}
    assert variables["PROVIDER_CREDENTIALS"] == {"Ref": "ProviderCredentials"}
    assert variables["LITELLM_MODEL_PROVIDER"] == {"Ref": "ModelProvider"}
    assert variables["CORS_ALLOW_ORIGINS"] == {"Ref": "CorsAllowOrigins"}
    ((name, version),) = (
        (name, item) for name, item in document["Resources"].items() if item["Type"] == "AWS::Lambda::Version"
    )
    named = set(re.findall(r"\$\{(\w+)\}", version["Properties"]["Description"]["Fn::Sub"]))
    assert {"ConfigHash", "MemorySize", "ModelProvider"} <= named
    assert not named & {"ApiKeys", "ProviderCredentials", "AlarmEmail"}
    # Lambda publishes no version of a function that is the last version in everything
    assert function["Description"] == version["Properties"]["Description"]
    # the previous one stays to go back to, whether a new package or a new description has replaced it
    assert version["DeletionPolicy"] == version["UpdateReplacePolicy"] == "Retain"
    (alias,) = of_type(document, "AWS::Lambda::Alias")
    assert alias["Name"] == document["Outputs"]["FunctionAlias"]["Value"] == "live"
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [name, "Version"]}
    assert document["Outputs"]["FunctionVersion"]["Value"] == {"Ref": name}
    for permission in of_type(document, "AWS::Lambda::Permission"):
        assert permission["FunctionName"] == {"Ref": "FunctionAliaslive"}


def test_a_new_package_is_a_new_version(source: str) -> None:
    def version(package: str) -> str:
        (name,) = (
            name
            for name, item in transformed(source, {}, package)["Resources"].items()
            if item["Type"] == "AWS::Lambda::Version"
        )
        return name

    assert version("s3://bucket/one") == version("s3://bucket/one") != version("s3://bucket/other")


def rollouts() -> list[str]:
    values: list[str] = yaml_parse(TEMPLATE.read_text())["Parameters"]["Rollout"]["AllowedValues"]
    return values


@pytest.mark.parametrize("rollout", rollouts())
@pytest.mark.parametrize("monitoring", ["yes", "no"])
def test_codedeploy_is_there_for_a_gradual_rollout_alone(source: str, rollout: str, monitoring: str) -> None:
    document = transformed(source, {"Rollout": rollout, "Monitoring": monitoring})
    groups = of_type(document, "AWS::CodeDeploy::DeploymentGroup")
    (alias,) = (item for item in document["Resources"].values() if item["Type"] == "AWS::Lambda::Alias")
    if rollout == "all-at-once":
        assert not groups and not of_type(document, "AWS::CodeDeploy::Application")
        assert "UpdatePolicy" not in alias
        return
    (group,) = groups
    assert alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["ApplicationName"] == group["ApplicationName"]
    assert group["ServiceRoleArn"] == {"Fn::GetAtt": ["RolloutRole", "Arn"]}
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    watched = group["AlarmConfiguration"].get("Alarms", [])
    names = [{"Name": {"Ref": "ErrorsAlarm"}}, {"Name": {"Ref": "ThrottlesAlarm"}}]
    assert watched == (names if monitoring == "yes" else [])
    _, name = group["DeploymentConfigName"]["Fn::Sub"]
    told = re.sub(r"(?<!^)(?=[A-Z])|(?<=[a-z])(?=\d)", "-", name["ConfigName"]).lower()
    assert told == rollout


ALARMS = {"errors", "throttles", "latency"}


@pytest.mark.parametrize(
    ("parameters", "alarms"),
    [({}, ALARMS), (DOMAIN, {*ALARMS, "certificate"}), ({**DOMAIN, "Monitoring": "no"}, set())],
)
def test_the_stack_watches_itself_unless_told_not_to(
    source: str, parameters: dict[str, str], alarms: set[str]
) -> None:
    document = transformed(source, parameters)
    found = of_type(document, "AWS::CloudWatch::Alarm")
    assert {alarm["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-") for alarm in found} == alarms
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [] for alarm in found)
    dashboards = of_type(document, "AWS::CloudWatch::Dashboard")
    assert len(dashboards) == bool(alarms)
    for dashboard in dashboards:
        text, given = dashboard["DashboardBody"]["Fn::Sub"]
        certificate = given["Certificate"]
        given["Certificate"] = certificate["Fn::Sub"] if isinstance(certificate, dict) else certificate
        for name, value in given.items():
            text = text.replace(f"${{{name}}}", value if isinstance(value, str) else f"arn:{name}")
        body = json.loads(re.sub(r"\$\{[\w:.]+\}", "7", text))
        assert len(body["widgets"][0]["properties"]["alarms"]) == len(alarms)
        titles = {widget["properties"]["title"].split(",")[0] for widget in body["widgets"]}
        assert {"Traffic", "Errors", "Latency"} <= titles


KEY = "arn:aws:kms:us-west-2:123456789012:key/0a1b2c3d-0000"
REVIEWED = {
    "AccessLogs": "yes",
    "AlarmEmail": "me@example.com",
    "AllowedIps": "203.0.113.0/24,2001:db8::/32",
    "ExecuteApiEndpoint": "no",
    "IpAddressType": "dualstack",
    "KeepWarm": "5",
    "KmsKeyArn": KEY,
    "MaxConcurrency": "7",
    "SecurityGroupIds": "sg-0a1b2c3d",
    "SubnetIds": "subnet-0a1b2c3d,subnet-0a1b2c3e",
    "ThrottleBurst": "20",
    "ThrottleRate": "10",
    "Tracing": "yes",
    "WebAclArn": "arn:aws:wafv2:us-west-2:123456789012:regional/webacl/mine/0a1b",
}
"""What a reviewer asks for, all at once. tests/iam deploys it; here is what the local AWS does not show."""


@pytest.fixture(scope="module")
def reviewed() -> Document:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        return transformed(TEMPLATE.read_text(), {**DOMAIN, **REVIEWED})


def test_the_function_is_limited_encrypted_and_in_a_network_where_asked_for(reviewed: Document) -> None:
    (function,) = of_type(reviewed, "AWS::Lambda::Function")
    assert function["ReservedConcurrentExecutions"] == {"Ref": "MaxConcurrency"}
    assert function["KmsKeyArn"] == {"Ref": "KmsKeyArn"}
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["VpcConfig"] == {
        name: {"Fn::Split": [",", {"Ref": name}]} for name in ("SubnetIds", "SecurityGroupIds")
    }
    (role,) = of_type(reviewed, "AWS::IAM::Role")
    by_action = {
        action: statement
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    assert by_action["kms:Decrypt"]["Resource"] == {"Ref": "KmsKeyArn"}
    assert by_action["kms:Decrypt"]["Condition"] == {"StringLike": {"kms:ViaService": "lambda.*"}}
    # for Lambda itself, not for the code in the function, whose calls carry this key
    connects = by_action["ec2:CreateNetworkInterface"]
    assert connects["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}
    assert "xray:PutTraceSegments" in by_action
    (topic,) = of_type(reviewed, "AWS::SNS::Topic")
    assert topic["KmsMasterKeyId"] == {"Ref": "KmsKeyArn"}
    assert {json.dumps(group["KmsKeyId"]) for group in of_type(reviewed, "AWS::Logs::LogGroup")} == {
        json.dumps({"Ref": "KmsKeyArn"})
    }


def endpoints(api: Document) -> Any:
    (server,) = api["Body"]["servers"]
    return server["x-amazon-apigateway-endpoint-configuration"]


def test_whoever_is_not_allowed_is_denied_by_the_domain_and_the_api_url_alike(reviewed: Document) -> None:
    (api,) = of_type(reviewed, "AWS::ApiGateway::RestApi")
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"], "IpAddressType": "dualstack"}
    assert endpoints(api) == {"disableExecuteApiEndpoint": True}
    allow, deny = api["Body"]["x-amazon-apigateway-policy"]["Statement"]
    assert (allow["Effect"], deny["Effect"]) == ("Allow", "Deny")
    # SAM fills in the addresses, so that others make another deployment of the API
    addresses = {"Fn::Split": [",", REVIEWED["AllowedIps"]]}
    assert deny["Condition"] == {"NotIpAddress": {"aws:SourceIp": addresses}}
    assert deny["Resource"] == allow["Resource"] == "execute-api:/*"


def test_access_logs_hold_neither_headers_nor_queries(reviewed: Document) -> None:
    (stage,) = of_type(reviewed, "AWS::ApiGateway::Stage")
    logged = stage["AccessLogSetting"]
    assert logged["DestinationArn"]["Fn::Sub"].endswith(":log-group:${AccessLogGroup}")
    line = json.loads(logged["Format"])
    assert {"ip", "status", "path", "request", "refusedBy"} <= set(line)
    secret = re.compile(r"header|query|userAgent|authorizer|apiKey|requestBody|identity\.(?!sourceIp)")
    assert not [value for value in line.values() if secret.search(value)]


@pytest.mark.parametrize(
    "change",
    [{"AllowedIps": "203.0.113.7"}, {"ExecuteApiEndpoint": "no"}],
    ids=lambda change: next(iter(change)),
)
def test_what_a_deployed_api_keeps_to_itself_makes_another_deployment(
    source: str, change: dict[str, str]
) -> None:
    """API Gateway goes by the policy and the endpoints of its last deployment."""

    def deployment(parameters: dict[str, str]) -> str:
        (name,) = (
            name
            for name, item in transformed(source, parameters)["Resources"].items()
            if item["Type"] == "AWS::ApiGateway::Deployment"
        )
        return name

    assert deployment(DOMAIN) != deployment({**DOMAIN, **change})


def test_snapshots_are_taken_of_published_versions(source: str) -> None:
    (function,) = of_type(transformed(source, {"SnapStart": "yes"}), "AWS::Lambda::Function")
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}


def test_environments_are_kept_ready_behind_the_alias(source: str) -> None:
    def ready(document: Document) -> Any:
        (alias,) = of_type(document, "AWS::Lambda::Alias")
        return alias.get("ProvisionedConcurrencyConfig")

    given = {"ProvisionedConcurrentExecutions": {"Ref": "ProvisionedConcurrency"}}
    assert ready(transformed(source, {"ProvisionedConcurrency": "2"})) == given
    assert ready(transformed(source, {})) is None


def test_by_default_nothing_of_it_is_there(source: str, reviewed: Document) -> None:
    plain = transformed(source, DOMAIN)
    assert set(reviewed["Resources"]) - set(plain["Resources"]) >= {
        "AccessLogGroup",
        "DomainIpv6Record",
        "KeepWarmPermission",
        "KeepWarmRule",
        "WebAclAssociation",
    }
    (function,) = of_type(plain, "AWS::Lambda::Function")
    assert not {"KmsKeyArn", "ReservedConcurrentExecutions", "SnapStart", "VpcConfig"} & set(function)
    assert function["TracingConfig"] == {"Mode": "PassThrough"}  # as Lambda has it without
    (stage,) = of_type(plain, "AWS::ApiGateway::Stage")
    assert not {"AccessLogSetting", "MethodSettings", "TracingEnabled"} & set(stage)
    (api,) = of_type(plain, "AWS::ApiGateway::RestApi")
    assert endpoints(api) == {"disableExecuteApiEndpoint": False}
    (statement,) = api["Body"]["x-amazon-apigateway-policy"]["Statement"]  # everybody, as without a policy
    assert (statement["Effect"], statement["Principal"]) == ("Allow", "*")


def test_alarms_are_told_to_an_address_and_to_a_topic(source: str) -> None:
    topic = "arn:aws:sns:us-west-2:123456789012:alarms"
    document = transformed(source, {**DOMAIN, "AlarmEmail": "me@example.com", "AlarmTopicArn": topic})
    told = [{"Ref": "AlarmTopic"}, {"Ref": "AlarmTopicArn"}]
    for alarm in of_type(document, "AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == alarm["OKActions"] == told
    (made_topic,) = of_type(document, "AWS::SNS::Topic")
    assert made_topic["Subscription"] == [{"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}]
    (threshold,) = (
        alarm["Threshold"]
        for alarm in of_type(document, "AWS::CloudWatch::Alarm")
        if "ExtendedStatistic" in alarm
    )
    assert threshold == {"Fn::Sub": "${LatencyAlarmSeconds}000"}


def test_binary_bodies_pass_and_api_gateways_own_answers_look_like_openais(source: str) -> None:
    (api,) = of_type(transformed(source, {}), "AWS::ApiGateway::RestApi")
    assert api["Body"]["x-amazon-apigateway-binary-media-types"] == ["*/*"]
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    answers = api["Body"]["x-amazon-apigateway-gateway-responses"]
    wanted = {
        "ACCESS_DENIED",
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "INTEGRATION_TIMEOUT",
        "MISSING_AUTHENTICATION_TOKEN",
        "REQUEST_TOO_LARGE",
        "THROTTLED",
    }
    assert wanted <= set(answers)
    for name, answer in answers.items():
        assert answer["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'", (
            name
        )
        text = answer["responseTemplates"]["application/json"]
        filled = text.replace("$context.error.messageString", '"Forbidden"').replace("$context.", "")
        error = json.loads(filled)["error"]
        assert set(error) == {"message", "type", "param", "code"}, name
    # AWS says 403 Missing Authentication Token, which sends people to look at their keys
    nothing = answers["MISSING_AUTHENTICATION_TOKEN"]
    assert str(nothing["statusCode"]) == "404"
    assert '"unknown_url"' in nothing["responseTemplates"]["application/json"]


def test_the_build_reads_its_target_from_the_template() -> None:
    parameters = yaml_parse(TEMPLATE.read_text())["Parameters"]
    target = Target.from_environ({})
    assert target.parameters() == {
        name: parameters[name]["Default"] for name in ("PythonRuntime", "Architecture")
    }
    assert target.system == "linux"


@pytest.mark.parametrize("command", [["cfn-lint"], ["sam", "validate", "--lint", "--template-file"]])
def test_linters_find_nothing(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [environment("tools") / command[0], *command[1:], str(TEMPLATE)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            **clean_environ(),
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(made("sam")),
            "AWS_DEFAULT_REGION": os.environ["AWS_DEFAULT_REGION"],
            "AWS_EC2_METADATA_DISABLED": "true",
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
