"""PassRole kept to a stack's own roles, on the local AWS and with the deploy role's own rights."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT
from pennyworth.iam.passrole.document import SID, is_equivalent
from pennyworth.iam.policy.documents import render_document
from pennyworth.local.aws.server import ACCOUNT, LocalAws
from pennyworth.pipeline.steps import tighten_passrole
from tests.iam.evaluator import Evaluator
from tests.names import DEPLOY_ROLE

REGION = "us-west-2"
STACK = "endpoint"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/pennyworth-deployment"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/pennyworth-deploy-boundary"
PREFIX = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-"
LAMBDA, CODEDEPLOY = "lambda.amazonaws.com", "codedeploy.amazonaws.com"
NAMES = {
    "ACCOUNT_ID": ACCOUNT,
    "REGION": REGION,
    "STACK_NAME": STACK,
    "BASE_DOMAIN": "example.com",
    "HOSTED_ZONE_ID": "Z0123456789",
}


def role(service: str = LAMBDA, **properties: Any) -> dict[str, Any]:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust, **properties},
    }


def template(**resources: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": resources}


ONE = {
    **template(FunctionRole=role()),
    "Outputs": {"FunctionRoleArn": {"Value": {"Fn::GetAtt": ["FunctionRole", "Arn"]}}},
}
TWO = template(FunctionRole=role(), Second=role())
GRADUAL = template(FunctionRole=role(), RolloutRole=role(CODEDEPLOY))
PARAMETER = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}


@dataclass
class SetUpAccount:
    """An account with the deploy role and its policy."""

    aws: LocalAws

    def client(self, service: str) -> Any:
        """A client with a person's own rights, that is all of them."""
        names = {"aws_access_key_id": "AWS_ACCESS_KEY_ID", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY"}
        environ = self.aws.environ(REGION)
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.aws.endpoint,
            **{name: environ[variable] for name, variable in names.items()},
        )

    @property
    def iam(self) -> Any:
        return self.client("iam")

    def deploy(self, document: dict[str, Any]) -> dict[str, str]:
        """Create or update the stack; its roles' ARNs by logical id."""
        cloudformation = self.client("cloudformation")
        wanted = {"StackName": STACK, "TemplateBody": json.dumps(document)}
        try:
            cloudformation.create_stack(**wanted, Capabilities=["CAPABILITY_NAMED_IAM"])
            cloudformation.get_waiter("stack_create_complete").wait(
                StackName=STACK, WaiterConfig={"Delay": 1}
            )
        except cloudformation.exceptions.AlreadyExistsException:
            cloudformation.update_stack(**wanted, Capabilities=["CAPABILITY_NAMED_IAM"])
            cloudformation.get_waiter("stack_update_complete").wait(
                StackName=STACK, WaiterConfig={"Delay": 1}
            )
        resources = cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
        return {
            one["LogicalResourceId"]: f"arn:aws:iam::{ACCOUNT}:role/{one['PhysicalResourceId']}"
            for one in resources
            if one["ResourceType"] == "AWS::IAM::Role" and one["ResourceStatus"] != "DELETE_COMPLETE"
        }

    def versions(self) -> dict[str, bool]:
        """The policy's versions, and whether each applies."""
        listed = self.iam.list_policy_versions(PolicyArn=POLICY)["Versions"]
        return {one["VersionId"]: one["IsDefaultVersion"] for one in listed}

    def applies(self) -> str:
        (version,) = (name for name, default in self.versions().items() if default)
        return version

    def document(self) -> dict[str, Any]:
        told = self.iam.get_policy_version(PolicyArn=POLICY, VersionId=self.applies())
        document: dict[str, Any] = told["PolicyVersion"]["Document"]
        return document

    def put(self, document: dict[str, Any], *, apply: bool = True) -> None:
        """What a person, or a run that was cut off, does to the policy."""
        self.iam.create_policy_version(
            PolicyArn=POLICY, PolicyDocument=json.dumps(document), SetAsDefault=apply
        )

    def simulated(self, arn: str, service: str) -> str:
        """What IAM's simulator decides of the deploy role's handing a role to a service."""
        context = {
            "ContextKeyName": "iam:PassedToService",
            "ContextKeyValues": [service],
            "ContextKeyType": "string",
        }
        answer = self.iam.simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/{DEPLOY_ROLE}",
            ActionNames=["iam:PassRole"],
            ResourceArns=[arn],
            ContextEntries=[context],
        )
        return str(answer["EvaluationResults"][0]["EvalDecision"])

    def passed(self) -> dict[str, Any]:
        """Which roles may be handed to which services."""
        return {
            arn: statement["Condition"]["StringEquals"]["iam:PassedToService"]
            for statement in self.document()["Statement"]
            if statement["Action"] == "iam:PassRole"
            for arn in (
                [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
            )
        }


@pytest.fixture(scope="module")
def ready(shared_judging_aws: LocalAws) -> dict[str, str]:
    """An account made ready, kept for each test, and the environment with the deploy role's credentials."""
    aws = shared_judging_aws
    aws.reset()
    account = SetUpAccount(aws)
    for name in ("deployment", "deploy-boundary"):
        account.iam.create_policy(
            PolicyName=f"pennyworth-{name}", PolicyDocument=json.dumps(render_document(name, NAMES))
        )
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    made = account.iam.create_role(
        RoleName=DEPLOY_ROLE,
        AssumeRolePolicyDocument=json.dumps(trust),
        PermissionsBoundary=BOUNDARY,
    )
    account.iam.attach_role_policy(RoleName=DEPLOY_ROLE, PolicyArn=POLICY)
    session = account.client("sts").assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="deploy-1")
    aws.keep("ready")
    credentials = session["Credentials"]
    return {
        **aws.environ(REGION),
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


@pytest.fixture
def account(
    shared_judging_aws: LocalAws, ready: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> SetUpAccount:
    """An account made ready, and the deploy role's credentials in the environment: IAM judges every call."""
    shared_judging_aws.restore("ready")
    take(ready, monkeypatch)
    return SetUpAccount(shared_judging_aws)


def take(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what runs in this process work with these credentials."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials that it found first


def step(**settings: str) -> str:
    return tighten_passrole.run({"STACK_NAME": STACK, "AWS_REGION": REGION, **settings})


def prepare(folder: Path, document: dict[str, Any], **settings: str) -> str:
    path = folder / "template.yaml"
    path.write_text(json.dumps(document))
    return step(PREPARE=str(path), **settings)


def test_after_a_deployment_exactly_the_stacks_roles_are_named(account: SetUpAccount) -> None:
    roles = account.deploy(TWO)
    before = account.document()
    assert account.passed() == {f"{PREFIX}*": LAMBDA, f"{PREFIX}RolloutRole-*": CODEDEPLOY}
    report = step()
    assert account.passed() == dict.fromkeys(roles.values(), LAMBDA)
    assert account.applies() == "v2"
    changed = {statement["Sid"] for statement in account.document()["Statement"]} ^ {
        statement["Sid"] for statement in before["Statement"]
    }
    assert changed == {f"{SID}2"}  # nothing is rolled out gradually, so nothing goes to CodeDeploy
    for arn in roles.values():
        assert f"| `{arn}` | {LAMBDA} |" in report
        assert f'+        "{arn}"' in report
    assert f'-      "Resource": "{PREFIX}*",' in report or f'-        "{PREFIX}*"' in report


def test_where_nothing_changed_nothing_is_written(account: SetUpAccount, tmp_path: Path) -> None:
    account.deploy(ONE)
    step()
    before = account.versions()
    assert step() == step()
    assert "No change needed: version v2 of the policy still applies." in step()
    assert "No change needed" in prepare(tmp_path, ONE)
    assert account.versions() == before


def test_a_dry_run_shows_the_change_and_makes_none(account: SetUpAccount) -> None:
    (arn,) = account.deploy(ONE).values()
    report = step(DRY_RUN="true")
    assert "version v1 of the policy would be replaced" in report and f'+      "Resource": "{arn}"' in report
    assert account.versions() == {"v1": True}


def test_each_role_goes_to_the_services_that_it_is_for(account: SetUpAccount) -> None:
    boundary = render_document("deploy-boundary", NAMES)
    for statement in boundary["Statement"]:
        if statement.get("Action") == "iam:PassRole":
            statement["Condition"]["StringEquals"]["iam:PassedToService"] = [
                LAMBDA,
                "scheduler.amazonaws.com",
            ]
    account.iam.create_policy_version(
        PolicyArn=BOUNDARY, PolicyDocument=json.dumps(boundary), SetAsDefault=True
    )
    roles = account.deploy(template(FunctionRole=role(), Clock=role("scheduler.amazonaws.com")))
    step()
    assert account.passed() == {roles["FunctionRole"]: LAMBDA, roles["Clock"]: "scheduler.amazonaws.com"}
    sids = [one["Sid"] for one in account.document()["Statement"] if one["Action"] == "iam:PassRole"]
    assert sids == [SID, f"{SID}2"]
    kept = account.deploy(ONE)
    step()
    assert account.passed() == {kept["FunctionRole"]: LAMBDA}


def test_a_service_beyond_the_boundary_is_told(account: SetUpAccount) -> None:
    account.deploy(template(FunctionRole=role(), Clock=role("scheduler.amazonaws.com")))
    with pytest.raises(OperationFailed) as failed, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pennyworth.iam.passrole.change._SETTLED_SECONDS", 0.0)
        step()
    assert "to scheduler.amazonaws.com: the deploy role's permissions boundary" in failed.value.detail


@pytest.mark.parametrize("drafts", [0, 2], ids=["all applied once", "with drafts"])
def test_a_sixth_version_has_room_and_the_previous_one_stays(account: SetUpAccount, drafts: int) -> None:
    account.deploy(ONE)
    for number in range(4 - drafts):
        account.put(narrowed(account.document(), f"draft-{number}"))
    applied = account.applies()
    for number in range(drafts):
        account.put(narrowed(account.document(), f"newer-{number}"), apply=False)
    assert len(account.versions()) == 5
    step()
    assert len(account.versions()) <= 5
    assert account.applies() not in {applied, "v1"}
    assert applied in account.versions()
    assert ("v1" in account.versions()) is bool(drafts)


def narrowed(document: dict[str, Any], sid: str) -> dict[str, Any]:
    """A policy with one more thing in it, as a person might have it."""
    more = {"Sid": sid.replace("-", ""), "Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}
    return {**document, "Statement": [*document["Statement"], more]}


def test_what_a_person_narrowed_elsewhere_stays(account: SetUpAccount) -> None:
    (arn,) = account.deploy(ONE).values()
    document = narrowed(account.document(), "mine")
    document["Id"] = "ours"
    (own,) = (one for one in document["Statement"] if one["Sid"] == SID)
    own["Condition"]["StringLike"] = {"aws:PrincipalArn": "*"}
    own["Condition"]["StringEquals"]["aws:ResourceAccount"] = ACCOUNT
    document["Statement"] = [
        one for one in document["Statement"] if one["Sid"] not in {f"{SID}2", "SamStacks"}
    ]
    account.put(document)
    step()
    own["Resource"] = arn
    assert is_equivalent(account.document(), document)


def test_a_version_that_was_made_but_does_not_apply_is_taken(account: SetUpAccount) -> None:
    (arn,) = account.deploy(ONE).values()
    document = account.document()
    document["Statement"] = [one for one in document["Statement"] if one["Sid"] != f"{SID}2"]
    for one in document["Statement"]:
        if one["Sid"] == SID:
            one["Resource"] = [arn]
    document["Statement"].reverse()  # by which it is known again
    account.put(document, apply=False)
    step()
    assert account.document() == document
    assert set(account.versions()) == {"v1", "v2"}


def test_a_version_that_was_made_in_vain_goes_and_the_previous_one_is_the_one_that_applied(
    account: SetUpAccount,
) -> None:
    account.deploy(ONE)
    previous = account.document()
    account.put(narrowed(previous, "vain"), apply=False)
    step()
    step(RESTORE="true")
    assert is_equivalent(account.document(), previous)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "at", ["delete_policy_version", "create_policy_version", "simulate_principal_policy"]
)
def test_whatever_a_run_was_cut_off_at_the_next_one_fixes_it(
    account: SetUpAccount, at: str, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (arn,) = account.deploy(ONE).values()
    for number in range(4):
        account.put(narrowed(account.document(), f"draft-{number}"))
    make = boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        """A client whose process ends at one operation: before AWS has heard of it, or after AWS has done it."""
        made = make(session, service, **options)
        if service == "iam":
            operation = getattr(made, at)

            def cut_off(**arguments: Any) -> None:
                if done:
                    operation(**arguments)
                raise KeyboardInterrupt

            setattr(made, at, cut_off)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(boto3.Session, "client", client)
        with pytest.raises(KeyboardInterrupt):
            step()
    step()
    assert account.passed() == {arn: LAMBDA}
    assert len(account.versions()) == 5


def test_another_evaluator_judges_every_stage_as_the_local_aws_does(
    account: SetUpAccount, tmp_path: Path
) -> None:
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/{DEPLOY_ROLE}"
    boundary = render_document("deploy-boundary", NAMES)
    (first,) = account.deploy(ONE).values()
    second = f"{PREFIX}Second-0123456789AB"
    stages = {
        "unknown": lambda: None,
        "tightened": step,
        "prepared": lambda: prepare(tmp_path, TWO),
    }
    asked = [
        (arn, service)
        for arn in (
            first,
            second,
            f"{PREFIX}Third-0123456789AB",
            f"arn:aws:iam::{ACCOUNT}:role/administrator",
        )
        for service in (LAMBDA, "ec2.amazonaws.com")
    ]
    allowed: dict[str, set[str]] = {}
    with Evaluator(ACCOUNT) as evaluator:
        for stage, reach in stages.items():
            reach()
            document = account.document()
            for arn, service in asked:
                told = account.simulated(arn, service)
                judged = evaluator.decide(
                    role_arn,
                    "iam:PassRole",
                    arn,
                    {"iam:PassedToService": service},
                    identity=[document],
                    boundaries=[boundary],
                )
                assert judged.allowed is (told == "allowed"), (stage, arn, service)
                if judged.allowed:
                    assert service == LAMBDA
                    allowed.setdefault(stage, set()).add(arn)
    assert allowed == {
        "unknown": {arn for arn, _ in asked[:6]},
        "tightened": {first},
        "prepared": {first, second},
    }


def test_the_previous_version_comes_back_and_the_next_deployment_tightens_again(
    account: SetUpAccount,
) -> None:
    (arn,) = account.deploy(ONE).values()
    previous = account.document()
    step()
    report = step(RESTORE="true")
    assert is_equivalent(account.document(), previous)
    assert "Version v1 of the policy applies now." in report and f'-      "Resource": "{arn}"' in report
    with pytest.raises(OperationFailed, match="v1 is the oldest"):
        step(RESTORE="true")
    step()
    assert account.passed() == {arn: LAMBDA} and set(account.versions()) == {"v1", "v2"}


def test_before_a_first_deployment_only_the_templates_roles_are_admitted(
    account: SetUpAccount, tmp_path: Path
) -> None:
    report = prepare(tmp_path, ONE)
    assert account.passed() == {f"{PREFIX}FunctionRole-*": LAMBDA}
    assert f"| `{PREFIX}FunctionRole-*` | {LAMBDA} |" in report
    (arn,) = account.deploy(ONE).values()
    assert arn.startswith(f"{PREFIX}FunctionRole-")
    step()
    assert account.passed() == {arn: LAMBDA}


def test_before_a_role_is_added_it_alone_is_admitted(account: SetUpAccount, tmp_path: Path) -> None:
    (arn,) = account.deploy(ONE).values()
    step()
    prepare(tmp_path, TWO)
    assert account.passed() == {arn: LAMBDA, f"{PREFIX}Second-*": LAMBDA}
    roles = account.deploy(TWO)
    step()
    assert account.passed() == dict.fromkeys(roles.values(), LAMBDA)
    prepare(tmp_path, ONE)  # the second goes with the deployment, which may yet be rolled back
    assert account.passed() == dict.fromkeys(roles.values(), LAMBDA)
    account.deploy(ONE)
    step()
    assert account.passed() == {arn: LAMBDA}


def test_a_role_whose_name_the_template_gives_is_admitted_by_it(
    account: SetUpAccount, tmp_path: Path
) -> None:
    named = template(Named=role(RoleName={"Fn::Sub": "${AWS::StackName}-named"}))
    prepare(tmp_path, named)
    assert account.passed() == {f"{PREFIX}named": LAMBDA}
    assert account.deploy(named) == {"Named": f"{PREFIX}named"}
    assert "No change needed" in step()
    prepare(tmp_path, template(Named=role()))  # without its name it is replaced
    assert account.passed() == {f"{PREFIX}named": LAMBDA, f"{PREFIX}Named-*": LAMBDA}


def test_the_role_that_sam_makes_for_a_function_is_admitted(account: SetUpAccount, tmp_path: Path) -> None:
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {"CodeUri": "src/", "Handler": "run.sh", "Runtime": "python3.13"},
    }
    document = {**template(Function=function), "Transform": "AWS::Serverless-2016-10-31"}
    prepare(tmp_path, document)
    assert account.passed() == {f"{PREFIX}FunctionRole-*": LAMBDA}


def test_the_projects_own_template_is_understood(account: SetUpAccount) -> None:
    step(PREPARE=str(ROOT / "template.yaml"))
    assert account.passed() == {f"{PREFIX}FunctionRole-*": LAMBDA, f"{PREFIX}RolloutRole-*": CODEDEPLOY}


def test_each_role_goes_to_its_own_service_and_to_no_other(account: SetUpAccount) -> None:
    roles = account.deploy(GRADUAL)
    report = step()
    own = {roles["FunctionRole"]: LAMBDA, roles["RolloutRole"]: CODEDEPLOY}
    assert account.passed() == own
    for arn in own:
        for service in (LAMBDA, CODEDEPLOY, "ec2.amazonaws.com"):
            told = account.simulated(arn, service)
            assert (told == "allowed") is (own[arn] == service), (arn, service)
    assert "also allow passing" not in report
    account.deploy(ONE)
    step()
    assert account.passed() == {roles["FunctionRole"]: LAMBDA}


def test_what_hands_a_role_to_the_others_service_is_told(
    account: SetUpAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pennyworth.iam.passrole.change._SETTLED_SECONDS", 0.0)
    roles = account.deploy(GRADUAL)
    crossed = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Crossed",
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": roles["FunctionRole"],
                "Condition": {"StringEquals": {"iam:PassedToService": CODEDEPLOY}},
            }
        ],
    }
    account.iam.put_role_policy(
        RoleName=DEPLOY_ROLE, PolicyName="crossed", PolicyDocument=json.dumps(crossed)
    )
    step()
    assert f"{roles['FunctionRole']} can be handed to {CODEDEPLOY}, too" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("document", "title"),
    [
        (template(FunctionRole=role(RoleName="administrator")), "lacks the stack's prefix"),
        (template(FunctionRole=role(Path="/elsewhere/")), "lacks the stack's prefix"),
        (template(FunctionRole=role(RoleName={"Ref": "Name"})), "can't be predicted"),
        (template(FunctionRole=role({"Fn::ImportValue": "x"})), "can't be predicted"),  # type: ignore[arg-type]
        (template(FunctionRole=role("*")), "trusts an unknown service"),
        (template(**{f"Function{'X' * 50}": role()}), "is too long"),
        (template(Nothing=PARAMETER), "creates no roles"),
        ({"Outputs": {}}, "can't be read"),
        (
            {
                **template(Function={"Type": "AWS::Serverless::Function", "Properties": {}}),
                "Transform": "AWS::Serverless-2016-10-31",
            },
            "can't be read",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_template_that_can_not_be_prepared_for_changes_nothing(
    account: SetUpAccount, tmp_path: Path, document: dict[str, Any], title: str
) -> None:
    with pytest.raises(OperationFailed) as failed:
        prepare(tmp_path, document)
    assert title in failed.value.title and failed.value.message
    assert account.versions() == {"v1": True}


def test_an_output_may_name_a_role_of_the_stacks_that_is_for_no_service(account: SetUpAccount) -> None:
    reader = role()
    reader["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] = {"AWS": ACCOUNT}
    outputs = {"Reader": {"Value": {"Fn::GetAtt": ["Reader", "Arn"]}}}
    roles = account.deploy({**template(FunctionRole=role(), Reader=reader), "Outputs": outputs})
    step()
    assert account.passed() == {roles["FunctionRole"]: LAMBDA}


@pytest.mark.parametrize(
    ("document", "title"),
    [
        (template(Nothing=PARAMETER), "has no roles"),
        (template(FunctionRole=role(RoleName="administrator")), "lacks the stack's prefix"),
        (
            {**ONE, "Outputs": {"Other": {"Value": f"arn:aws:iam::{ACCOUNT}:role/administrator"}}},
            "names a role that is not part of the stack",
        ),
    ],
    ids=["no roles", "outside", "output"],
)
def test_a_stack_that_can_not_be_tightened_changes_nothing(
    account: SetUpAccount, document: dict[str, Any], title: str
) -> None:
    account.deploy(document)
    with pytest.raises(OperationFailed) as failed:
        step()
    assert title in failed.value.title and failed.value.message
    assert account.versions() == {"v1": True}


def test_without_a_stack_there_is_nothing_to_tighten(account: SetUpAccount) -> None:
    with pytest.raises(OperationFailed, match="deploy it first"):
        step()


def test_a_policy_that_is_not_there_or_without_the_statement_is_told(account: SetUpAccount) -> None:
    account.deploy(ONE)
    document = account.document()
    account.put({**document, "Statement": [one for one in document["Statement"] if one["Sid"] != SID]})
    with pytest.raises(OperationFailed) as failed:
        step()
    assert failed.value.title == f"The policy has no statement {SID}"
    for one in document["Statement"]:
        if one["Sid"] == SID:
            one["Action"] = ["iam:PassRole", "iam:GetRole"]
    account.put(document)
    with pytest.raises(OperationFailed, match="Move the rest to another statement"):
        step()
    with pytest.raises(OperationFailed) as failed:
        step(POLICY="pennyworth-other")
    assert failed.value.title == "AWS does not allow ListPolicyVersions"
    assert "bootstrap" in failed.value.message


def test_a_missing_policy_is_told_to_whoever_may_look(
    account: SetUpAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.deploy(ONE)
    take(account.aws.environ(REGION), monkeypatch)
    with pytest.raises(OperationFailed) as failed:
        step(POLICY="pennyworth-other")
    assert failed.value.title == "There is no policy pennyworth-other"
    with pytest.raises(OperationFailed) as failed:
        step(ROLE="nobody")
    assert failed.value.title == "There is no role nobody"


def test_a_policy_that_would_be_too_long_is_not_written(account: SetUpAccount) -> None:
    account.deploy(ONE)
    document = account.document()
    more = {
        "Sid": "Mine",
        "Effect": "Deny",
        "Action": "s3:DeleteBucket",
        "Resource": [f"arn:aws:s3:::{number:060}" for number in range(60)],
    }
    account.put({**document, "Statement": [*document["Statement"], more]})
    before = account.versions()
    with pytest.raises(OperationFailed, match="exceeds IAM's limit of 6144 characters"):
        step()
    assert account.versions() == before


def test_another_policy_that_lets_more_be_handed_on_is_told(
    account: SetUpAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pennyworth.iam.passrole.change._SETTLED_SECONDS", 0.0)
    account.deploy(ONE)
    wide = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Wide", "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}],
    }
    account.iam.put_role_policy(RoleName=DEPLOY_ROLE, PolicyName="wide", PolicyDocument=json.dumps(wide))
    report = step()
    assert "also allow passing" in report and "Wide" in report
    assert "::warning title=PassRole is wider than this policy says::" in capsys.readouterr().out


def test_a_hostile_rewrite_by_the_deploy_role_gains_nothing(account: SetUpAccount) -> None:
    """The boundary caps whatever the policy says: the local AWS judges both."""
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    iam = boto3.client("iam", region_name=REGION)
    iam.create_policy_version(PolicyArn=POLICY, PolicyDocument=json.dumps(everything), SetAsDefault=True)
    gains = {
        "create_user": {"UserName": "mallory"},
        "create_access_key": {"UserName": "mallory"},
        "attach_role_policy": {
            "RoleName": DEPLOY_ROLE,
            "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
        },
        "put_role_policy": {
            "RoleName": DEPLOY_ROLE,
            "PolicyName": "all",
            "PolicyDocument": json.dumps(everything),
        },
        "update_assume_role_policy": {
            "RoleName": DEPLOY_ROLE,
            "PolicyDocument": json.dumps(everything),
        },
        "delete_role_permissions_boundary": {"RoleName": DEPLOY_ROLE},
        "put_role_permissions_boundary": {
            "RoleName": DEPLOY_ROLE,
            "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess",
        },
        "create_policy_version": {
            "PolicyArn": BOUNDARY,
            "PolicyDocument": json.dumps(everything),
            "SetAsDefault": True,
        },
        "delete_policy": {"PolicyArn": BOUNDARY},
        "create_role": {
            "RoleName": "administrator",
            "AssumeRolePolicyDocument": json.dumps(everything),
        },
    }
    for operation, arguments in gains.items():
        with pytest.raises(ClientError) as refused:
            getattr(iam, operation)(**arguments)
        assert refused.value.response["Error"]["Code"] == "AccessDenied", operation
    for service, operation in (("s3", "list_buckets"), ("ec2", "describe_instances"), ("sts", "assume_role")):
        arguments = {"RoleArn": f"{PREFIX}x", "RoleSessionName": "mallory"} if service == "sts" else {}
        with pytest.raises(ClientError) as refused:
            getattr(boto3.client(service, region_name=REGION), operation)(**arguments)
        assert "AccessDenied" in str(refused.value) or "Unauthorized" in str(refused.value)
    for arn, service in (
        (f"arn:aws:iam::{ACCOUNT}:role/administrator", LAMBDA),
        (f"{PREFIX}FunctionRole-x", "ec2.amazonaws.com"),
    ):
        told = account.iam.simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/{DEPLOY_ROLE}",
            ActionNames=["iam:PassRole"],
            ResourceArns=[arn],
            ContextEntries=[
                {
                    "ContextKeyName": "iam:PassedToService",
                    "ContextKeyValues": [service],
                    "ContextKeyType": "string",
                }
            ],
        )
        assert told["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"
    account.deploy(ONE)
    with pytest.raises(OperationFailed, match="bootstrap"):
        step()  # and it is found out


def test_the_command_does_it_with_the_environments_credentials(account: SetUpAccount) -> None:
    (arn,) = account.deploy(ONE).values()
    command = [sys.executable, "-m", "pennyworth.cli", "tighten-passrole", "--stack-name", STACK]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}

    def call(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *options], env=environ, capture_output=True, text=True, check=False)

    shown = call("--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert f'+      "Resource": "{arn}"' in shown.stdout and account.applies() == "v1"
    told = json.loads(call("--json").stdout)
    assert told["changed"] and told["roles"] == [{"arn": arn, "services": [LAMBDA]}]
    assert told["version"] == account.applies() and account.passed() == {arn: LAMBDA}
    assert call("--restore").returncode == 0 and account.applies() == "v1"
    refused = call("--restore", "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["command"] == "tighten-passrole"
    assert "There is no previous version. v1 is the oldest" in refused.stderr
    assert "Traceback" not in refused.stderr
