"""The evaluator itself: it allows, denies, caps by boundary, and takes nothing invalid for a denial."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pennyworth.host.environments import environment

from .account import ACCOUNT
from .evaluator import HERE, UNLISTED, Evaluator, NotJudged
from .evaluator.install import programs

ROLE = f"arn:aws:iam::{ACCOUNT}:role/deployer"
TABLE = f"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/one"
PASSED = f"arn:aws:iam::{ACCOUNT}:role/passed"


def policy(action: str, resource: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_allows_what_a_policy_allows_and_nothing_else(evaluator: Evaluator) -> None:
    identity = [policy("dynamodb:GetItem", TABLE)]
    assert evaluator.decide(ROLE, "dynamodb:GetItem", TABLE, identity=identity).allowed
    assert not evaluator.decide(ROLE, "dynamodb:PutItem", TABLE, identity=identity).allowed
    assert not evaluator.decide(ROLE, "dynamodb:GetItem", TABLE + "s", identity=identity).allowed
    assert not evaluator.decide(ROLE, "dynamodb:GetItem", TABLE).allowed


def test_a_boundary_caps(evaluator: Evaluator) -> None:
    everything, one = policy("*", "*"), policy("dynamodb:GetItem", "*")
    assert evaluator.decide(ROLE, "dynamodb:PutItem", TABLE, identity=[everything]).allowed
    capped = {"identity": [everything], "boundaries": [one]}
    assert evaluator.decide(ROLE, "dynamodb:GetItem", TABLE, **capped).allowed
    assert not evaluator.decide(ROLE, "dynamodb:PutItem", TABLE, **capped).allowed


def test_passing_a_role_depends_on_the_service_that_gets_it(evaluator: Evaluator) -> None:
    to_lambda = policy("iam:PassRole", PASSED, StringEquals={"iam:PassedToService": "lambda.amazonaws.com"})
    for service, allowed in (("lambda.amazonaws.com", True), ("ec2.amazonaws.com", False)):
        context = {"iam:PassedToService": service}
        decision = evaluator.decide(ROLE, "iam:PassRole", PASSED, context, identity=[to_lambda])
        assert decision.allowed is allowed
    assert not evaluator.decide(ROLE, "iam:PassRole", PASSED, identity=[to_lambda]).allowed


def test_facts_count_where_aws_tells_them(evaluator: Evaluator) -> None:
    facts = {"iam:PassedToService": "lambda.amazonaws.com"}
    told = {"StringEquals": facts}
    for action, resource, allowed in (("iam:PassRole", PASSED, True), ("dynamodb:GetItem", TABLE, False)):
        identity = [policy(action, resource, **told)]
        assert evaluator.decide(ROLE, action, resource, facts=facts, identity=identity).allowed is allowed


def test_another_accounts_resource_must_agree(evaluator: Evaluator) -> None:
    layer = "arn:aws:lambda:us-west-2:753240598075:layer:public:1"
    identity = [policy("lambda:GetLayerVersion", layer)]
    public = policy("lambda:GetLayerVersion", layer)
    public["Statement"][0]["Principal"] = "*"
    request = (ROLE, "lambda:GetLayerVersion", layer)
    assert evaluator.decide(*request, identity=identity, resource_policy=public).allowed
    assert not evaluator.decide(*request, identity=identity).allowed
    assert not evaluator.decide(*request, resource_policy=public).allowed


@pytest.mark.parametrize(
    ("action", "resource", "context", "identity"),
    [
        ("dynamodb:GetItems", TABLE, {}, policy("*", "*")),
        ("dynamo:GetItem", TABLE, {}, policy("*", "*")),
        ("dynamodb:GetItem", PASSED, {}, policy("*", "*")),
        ("dynamodb:GetItem", "*", {}, policy("*", "*")),
        ("dynamodb:GetItem", TABLE, {"iam:PassedTo": "ec2.amazonaws.com"}, policy("*", "*")),
        ("dynamodb:GetItem", TABLE, {}, {"Statement": [{"Effect": "Permit"}]}),
        ("route53:ListHostedZones", "arn:aws:route53:::hostedzone/Z1", {}, policy("*", "*")),
    ],
    ids=[
        "action",
        "service",
        "type of resource",
        "no resource",
        "condition key",
        "policy",
        "needless resource",
    ],
)
def test_what_is_not_valid_is_not_denied(
    evaluator: Evaluator, action: str, resource: str, context: dict[str, str], identity: dict[str, Any]
) -> None:
    with pytest.raises(NotJudged):
        evaluator.decide(ROLE, action, resource, context, identity=[identity])


@pytest.mark.parametrize("request_", UNLISTED, ids=lambda request: request["resource"])
def test_what_its_data_lack_is_judged_all_the_same(evaluator: Evaluator, request_: dict[str, str]) -> None:
    verb = "POST" if request_["action"].startswith("apigateway:") else "Put"
    action = request_["action"].replace("*", verb)
    resource = (
        request_["resource"].replace(":*:", ":aws:", 1).replace(":*:", ":us-west-2:", 1).replace("*", "x")
    )
    assert evaluator.decide(ROLE, action, resource, identity=[policy(action, resource)]).allowed
    assert not evaluator.decide(ROLE, action, resource, identity=[policy(action, f"{resource}y")]).allowed
    capped = {"identity": [policy("*", "*")], "boundaries": [policy("iam:*", "*")]}
    assert not evaluator.decide(ROLE, action, resource, **capped).allowed
    with pytest.raises(NotJudged):
        evaluator.decide(ROLE, action, resource, identity=[{"Statement": [{"Effect": "Permit"}]}])


def test_its_lock_names_no_registry() -> None:
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    locked = {name: package for name, package in packages.items() if name}
    assert all(set(package) >= {"version", "integrity"} for package in locked.values())
    assert "http" not in (HERE / "package-lock.json").read_text()


def test_without_node_on_path_a_wheel_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v18.0.0\n")
    old.chmod(0o755)
    (tmp_path / "npm").symlink_to(old)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin-without-node")
    assert programs() == environment("node")
