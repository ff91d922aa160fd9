"""The policy documents: what they must hold, must never hold, and that they cover what the stack's resources need."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT

POLICIES = ROOT / "policies"
README = (POLICIES / "README.md").read_text()
DOCUMENTS = sorted(path.name for path in POLICIES.glob("*.json"))
NAMES = {
    "ACCOUNT_ID": "123456789012",
    "REGION": "ap-southeast-2",
    "STACK_NAME": "a-name-of-24-characters-",
    "BASE_DOMAIN": "a-rather-long.subdomain.example.co.uk",
    "HOSTED_ZONE_ID": "Z0123456789ABCDEFGHIJ",
    "SUBJECT": "repo:owner@123456789/repository@1234567890:ref:refs/heads/main",
}
MANAGED_POLICY_CHARACTERS = 6144  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

ON_EVERYTHING = {"AskForCertificate", "FindRecords"}
"""Statements on * because AWS offers nothing narrower for their actions."""

UNUSED = (
    # what resource types may need for what the template does not use
    *(
        "ec2:",
        "elasticfilesystem:",
        "s3files:",
    ),  # a function in a network of one's own, or with a file system
    *("kms:", "logs:AssociateKmsKey", "logs:DisassociateKmsKey"),  # keys of one's own
    *("lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"),  # reserved concurrency
    *("lambda:PutProvisionedConcurrencyConfig", "lambda:DeleteProvisionedConcurrencyConfig"),  # provisioned
    *("lambda:PutFunctionScalingConfig", "lambda:PassCapacityProvider"),  # instances of one's own
    *("lambda:PutRuntimeManagementConfig", "lambda:AssociateRuntimeAlias"),  # a pinned runtime
    "lambda:PutFunctionRecursionConfig",  # a function that calls itself
    *("lambda:GetCodeSigningConfig", "lambda:PutFunctionCodeSigningConfig"),  # signed code
    "lambda:DeleteFunctionCodeSigningConfig",
    "codedeploy:",  # gradual deployments
    *("iam:AttachRolePolicy", "iam:DetachRolePolicy"),  # managed policies on the function's role
    *("iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary"),  # a boundary on it
    *("logs:PutDataProtectionPolicy", "logs:DeleteDataProtectionPolicy"),  # masking in logs
    *("logs:CreateLogDelivery", "s3:REST.PUT.OBJECT", "firehose:"),  # logs that go elsewhere
    *("logs:PutResourcePolicy", "logs:DeleteResourcePolicy"),  # logs that others write
    *("logs:PutIndexPolicy", "logs:DeleteIndexPolicy"),  # indexed logs
    *("logs:PutLogGroupDeletionProtection", "logs:PutBearerTokenAuthentication"),
    "apigateway:UpdateRestApiPolicy",  # an API with a resource policy
    *(
        "acm-pca:",
        "acm:UpdateCertificateOptions",
    ),  # a certificate authority of one's own, transparency logs off
)


def filled(name: str) -> str:
    """A document with real names in it, made by README's own command."""
    (commands,) = re.findall(r"^```sh\n(filled\(\) .*?^}\n)", README, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["/bin/sh", "-euc", f'{commands}filled "$1"', "sh", name],
        cwd=ROOT,
        env={**os.environ, **NAMES},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def statements(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(filled(name))["Statement"]
    return found


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_placeholder_is_filled_by_the_documented_commands(name: str) -> None:
    assert set(re.findall(r"\$\{(\w+)\}", (POLICIES / name).read_text())) <= set(NAMES)
    assert "${" not in filled(name)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_fits_into_a_managed_policy(name: str) -> None:
    assert len(re.sub(r"\s", "", filled(name))) <= MANAGED_POLICY_CHARACTERS


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_is_allowed_by_exclusion_or_wholesale(name: str) -> None:
    for statement in statements(name):
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
        assert all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action) for action in listed(statement["Action"]))
        if name != "trust.json":
            assert statement["Sid"] in ON_EVERYTHING or "*" not in listed(statement["Resource"])


def test_trust_names_one_audience_and_one_subject() -> None:
    (statement,) = statements("trust.json")
    issuer = "token.actions.githubusercontent.com"
    provider = f"arn:aws:iam::{NAMES['ACCOUNT_ID']}:oidc-provider/{issuer}"
    assert statement["Principal"] == {"Federated": provider}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": NAMES["SUBJECT"]}
    }


def test_only_this_stacks_roles_can_be_passed_and_only_to_lambda() -> None:
    passing = [given for given in statements("deployment.json") if "iam:PassRole" in listed(given["Action"])]
    (statement,) = passing
    assert statement["Resource"] == f"arn:aws:iam::{NAMES['ACCOUNT_ID']}:role/{NAMES['STACK_NAME']}-*"
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}


def test_roles_outside_the_stack_stay_out_of_reach() -> None:
    own = (
        f"arn:aws:iam::{NAMES['ACCOUNT_ID']}:role/{NAMES['STACK_NAME']}-*",
        f"arn:aws:iam::{NAMES['ACCOUNT_ID']}:role/aws-service-role/ops.apigateway.amazonaws.com/",
    )
    for statement in statements("deployment.json"):
        if any(action.startswith("iam:") for action in listed(statement["Action"])):
            assert all(resource.startswith(own) for resource in listed(statement["Resource"]))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_cfn_lint_knows_every_action(name: str, tmp_path: Path) -> None:
    properties: dict[str, Any] = {"PolicyDocument": json.loads(filled(name))}
    kind = "AWS::IAM::ManagedPolicy"
    if name == "trust.json":
        kind, properties = "AWS::IAM::Role", {"AssumeRolePolicyDocument": properties["PolicyDocument"]}
    template = tmp_path / "template.json"
    template.write_text(json.dumps({"Resources": {"Policy": {"Type": kind, "Properties": properties}}}))
    command = [environment("tools") / "cfn-lint", "--non-zero-exit-code", "informational", template]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout


def test_every_statement_has_its_reason() -> None:
    _, section = README.split("## deployment.json")
    explained = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert explained == {statement["Sid"] for statement in statements("deployment.json")}


def test_it_covers_what_the_stacks_resources_need() -> None:
    allowed = {
        action for statement in statements("deployment.json") for action in listed(statement["Action"])
    }
    needed = dict(needs(resource_types()))
    assert {"lambda:CreateFunction", "apigateway:POST", "route53:ChangeResourceRecordSets"} <= set(needed)
    missing = {
        action: kind
        for action, kind in needed.items()
        if action not in allowed and not action.startswith(UNUSED)
    }
    assert not missing


def resource_types() -> set[str]:
    """What the template becomes, whatever its parameters say."""
    document = yaml_parse((ROOT / "template.yaml").read_text())
    document["Resources"]["Function"]["Properties"]["CodeUri"] = "s3://bucket/package.zip"
    values = {name: given.get("Default", "") for name, given in document["Parameters"].items()}
    os.environ.setdefault("AWS_DEFAULT_REGION", NAMES["REGION"])
    resources = transform(document, values, None)["Resources"]
    return {resource["Type"] for resource in resources.values()}


def needs(types: set[str]) -> Iterator[tuple[str, str]]:
    """The permissions in the resource providers' own schemas, which cfn-lint carries, and the type that needs each."""
    (schemas,) = environment("tools").parent.glob("lib/python3*/site-packages/cfnlint/data/schemas/resources")
    found = set()
    for path in schemas.glob("*.json"):
        schema = json.loads(path.read_text())
        kind = schema.get("typeName")
        if kind in types:
            found.add(kind)
            for operation in ("create", "read", "update", "delete"):
                for action in schema.get("handlers", {}).get(operation, {}).get("permissions", []):
                    yield action, kind
    assert found == types
