"""The policy documents as they are checked in: what they must hold, must never hold, and that IAM takes them."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pennyworth.host.environments import environment
from pennyworth.iam.bootstrap_template.template import LONGEST_DOMAIN
from pennyworth.iam.policy import documents

FREE = 0.15
"""The share of IAM's limit that stays free."""

README = (documents.POLICIES / "README.md").read_text()
NAMES = {
    "ACCOUNT_ID": "123456789012",
    "REGION": "ap-southeast-2",
    "STACK_NAME": "a-name-of-24-characters-",
    "NAME_SUFFIX": "-a-name-of-24-characters-",
    "BASE_DOMAIN": "b" * LONGEST_DOMAIN,
    "HOSTED_ZONE_ID": "Z0123456789ABCDEFGHIJKLMNOPQRSTU",
}
SUBJECT = "repo:owner@123456789/repository@1234567890:ref:refs/heads/main"
VALUES = {**NAMES, "PARTITION": "aws-us-gov", "SUBJECTS": [SUBJECT]}
ACCOUNT = f"arn:aws-us-gov:iam::{NAMES['ACCOUNT_ID']}"
STACK_BOUNDARY = f"{ACCOUNT}:policy/pennyworth-stack-boundary{NAMES['NAME_SUFFIX']}"
STACK_ROLES = {
    # in a boundary * stands for the partition and the account: IAM reaches no other
    f"{account}:role/{NAMES['STACK_NAME']}-*"
    for account in (ACCOUNT, "arn:*:iam::*")
}
ROLLOUT_ROLE = f"{ACCOUNT}:role/{NAMES['STACK_NAME']}-RolloutRole-*"
LAMBDA, CODEDEPLOY = "lambda.amazonaws.com", "codedeploy.amazonaws.com"

POLICIES = [name for name in documents.NAMES if name != "trust"]
GIVEN = [*documents.DEPLOYMENT, "first-deployment"]
BOUNDARIES = ["deploy-boundary", "stack-boundary"]

ON_EVERYTHING = {
    "FindAlarms",
    "FindDrift",
    "FindLogs",
    "FindRecords",
    "Look",
    "Networks",
    "RequestCertificate",
    "StopRollouts",
    "Find",
    "InRegion",
    "ConnectToVpc",
    "SeeAlarms",
    "WriteTraces",
}
"""Statements on * because AWS offers nothing narrower for their actions."""

WRITES_ROLES = {
    "iam:*RolePolicy",
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRole*",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRole*",
    "iam:UpdateRoleDescription",
}


def statements(*names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        yield from documents.fill_placeholders(documents.read_document(name), VALUES)["Statement"]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowing(action: str, *names: str) -> list[dict[str, Any]]:
    """The statements that allow exactly this."""
    found = [one for one in statements(*names) if one["Effect"] == "Allow"]
    return [one for one in found if action in listed(one["Action"])]


def test_every_document_has_its_name() -> None:
    assert {path.stem for path in documents.POLICIES.glob("*.json")} == set(documents.NAMES)


@pytest.mark.parametrize("name", documents.NAMES)
def test_every_placeholder_is_known(name: str) -> None:
    text = (documents.POLICIES / f"{name}.json").read_text()
    assert set(re.findall(r"\$\{([^}]+)\}", text)) <= documents.PLACEHOLDERS.keys()
    assert "${" not in json.dumps(documents.render_document(name, VALUES))


@pytest.mark.parametrize("name", POLICIES)
def test_it_fits_into_a_managed_policy(name: str) -> None:
    """With the longest names in the longest partition, there is room for what a stack will need next."""
    characters = documents.count_characters(documents.render_document(name, VALUES))
    assert characters <= (1 - FREE) * documents.MANAGED_POLICY_CHARACTERS


def test_a_list_fills_a_whole_string_and_no_part_of_one() -> None:
    given = {"PASS_ROLE_ARNS": ["one", "other"]}
    assert documents.fill_placeholders({"Resource": "${PASS_ROLE_ARNS}"}, given) == {
        "Resource": ["one", "other"]
    }
    assert documents.fill_placeholders(["first", "${PASS_ROLE_ARNS}"], given) == ["first", "one", "other"]
    with pytest.raises(ValueError, match="PASS_ROLE_ARNS is a list"):
        documents.fill_placeholders("role/${PASS_ROLE_ARNS}", given)
    with pytest.raises(KeyError, match="ACCOUNT_ID"):
        documents.fill_placeholders("${ACCOUNT_ID}", given)


@pytest.mark.parametrize("name", documents.NAMES)
def test_nothing_is_allowed_by_exclusion_or_wholesale(name: str) -> None:
    for statement in statements(name):
        if statement["Effect"] == "Deny":
            assert name == "deploy-boundary"
            continue
        assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
        if name in documents.DEPLOYMENT:
            assert not [action for action in listed(statement["Action"]) if "*" in action]
        assert not {"*", "iam:*", "sts:*"} & set(listed(statement["Action"]))
        if name != "trust":
            assert statement["Sid"] in ON_EVERYTHING or "*" not in listed(statement["Resource"])


def test_trust_names_one_audience_and_the_subjects() -> None:
    (statement,) = statements("trust")
    issuer = "token.actions.githubusercontent.com"
    assert statement["Principal"] == {"Federated": f"{ACCOUNT}:oidc-provider/{issuer}"}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": [SUBJECT]}
    }


def test_only_this_stacks_roles_can_be_passed_each_to_its_own_service() -> None:
    function, rollout = allowing("iam:PassRole", *POLICIES[:-2])
    assert function["Action"] == rollout["Action"] == "iam:PassRole"
    assert set(listed(function["Resource"])) < STACK_ROLES
    assert function["Condition"] == {"StringEquals": {"iam:PassedToService": LAMBDA}}
    assert rollout["Resource"] == ROLLOUT_ROLE
    assert rollout["Condition"] == {"StringEquals": {"iam:PassedToService": CODEDEPLOY}}


def test_the_boundary_lets_no_other_role_be_passed_to_anybody_else() -> None:
    (statement,) = allowing("iam:PassRole", *BOUNDARIES)
    assert set(listed(statement["Resource"])) < STACK_ROLES
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": [CODEDEPLOY, LAMBDA]}}


def test_whoever_looks_is_given_nothing_that_changes_anything_but_previews() -> None:
    reads = re.compile(r"\w+:(Get|List|Describe|Detect|Simulate)[\w*?]+|apigateway:GET")
    for statement in statements("view"):
        others = [action for action in listed(statement["Action"]) if not reads.fullmatch(action)]
        if statement["Sid"] == "Previews":
            assert others == ["cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet"]
            (names,) = statement["Condition"]["StringLike"].values()
            assert "pennyworth-preview-" in names
        else:
            assert others == (
                ["cloudformation:CreateChangeSet"] if statement["Sid"] == "SamTransform" else []
            )


@pytest.mark.parametrize("name", POLICIES)
def test_roles_are_changed_only_with_the_stacks_boundary_on_them(name: str) -> None:
    for statement in statements(name):
        if statement["Effect"] == "Allow" and WRITES_ROLES & set(listed(statement["Action"])):
            assert set(listed(statement["Resource"])) < STACK_ROLES
            assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": STACK_BOUNDARY}}


@pytest.mark.parametrize("name", POLICIES)
def test_one_policy_alone_gets_new_versions(name: str) -> None:
    for statement in statements(name):
        actions = listed(statement.get("Action", []))
        writes = ("CreatePolicyVersion", "DeletePolicyVersion", "SetDefaultPolicyVersion", "*PolicyVersion*")
        if statement["Effect"] == "Allow" and any(action.endswith(writes) for action in actions):
            (resource,) = listed(statement["Resource"])
            account = "*" if name == "deploy-boundary" else NAMES["ACCOUNT_ID"]
            assert resource.endswith(f":iam::{account}:policy/pennyworth-deployment{NAMES['NAME_SUFFIX']}")


@pytest.fixture(scope="module")
def linted(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Any]]:
    """What cfn-lint finds in each document, all of them read by one process."""
    folder = tmp_path_factory.mktemp("linted")
    rendered = {
        name: documents.render_document(name, {**VALUES, "PARTITION": "aws"}) for name in documents.NAMES
    }
    unknown = {"Effect": "Allow", "Action": "iam:MakeNothing", "Resource": "*"}
    for name, document in {**rendered, "unknown": {**rendered["view"], "Statement": [unknown]}}.items():
        kind, properties = "AWS::IAM::ManagedPolicy", {"PolicyDocument": document}
        if name == "trust":
            kind, properties = "AWS::IAM::Role", {"AssumeRolePolicyDocument": document}
        template = {"Resources": {"Policy": {"Type": kind, "Properties": properties}}}
        (folder / f"{name}.json").write_text(json.dumps(template))
    command = [environment("tools") / "cfn-lint", "--format", "json", *sorted(folder.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, list[Any]] = {path.stem: [] for path in folder.iterdir()}
    for finding in json.loads(done.stdout):
        found[Path(finding["Filename"]).stem].append(finding)
    return found


@pytest.mark.parametrize("name", documents.NAMES)
def test_cfn_lint_knows_every_action(name: str, linted: Mapping[str, list[Any]]) -> None:
    assert linted["unknown"]
    assert not linted[name]


@pytest.mark.parametrize("name", documents.NAMES)
def test_every_statement_has_its_reason(name: str) -> None:
    _, _, section = README.partition(f"\n## {name}.json\n")
    section = section.partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    explained = [sid for cell in cells for sid in re.findall(r"`(\w+)`", cell)]
    assert sorted(explained) == sorted(statement["Sid"] for statement in statements(name))
