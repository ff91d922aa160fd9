"""policies/bootstrap.yaml: made from its documents, deployed as they say, and telling of what it must."""

import json
import subprocess
from typing import Any

import boto3
import pytest

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT
from pennyworth.iam.bootstrap_template.template import build_template
from pennyworth.iam.policy.documents import DEPLOYMENT, POLICIES, render_document
from pennyworth.iam.settings import list_claims
from pennyworth.local.aws.server import ACCOUNT, LocalAws
from tests.names import DEPLOY_ROLE, MANAGED_POLICIES, VIEW_ROLE

TEMPLATE = POLICIES / "bootstrap.yaml"
BYTES = 51_200  # the most that CloudFormation takes without a bucket
FREE = 0.15
REGION = "eu-central-1"
NAME = "pennyworth-bootstrap"
ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
GIVEN = {
    "Repository": "Octo-Org/pennyworth",
    "Subjects": "repo:Octo-Org/pennyworth:ref:refs/heads/main",
    "Region": REGION,
    "StackName": "endpoint",
    "BaseDomain": "example.com",
    "HostedZoneId": "Z0123456789",
}
VALUES = {
    "ACCOUNT_ID": ACCOUNT,
    "REGION": REGION,
    "STACK_NAME": "endpoint",
    "BASE_DOMAIN": "example.com",
    "HOSTED_ZONE_ID": "Z0123456789",
}
MAIN = "repo:Octo-Org/pennyworth:ref:refs/heads/main"


class Account:
    """A local AWS with the bootstrap stack in it."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws
        self.stacks = self.client("cloudformation")
        self.iam = self.client("iam")

    def client(self, service: str) -> Any:
        environ = self._aws.environ(REGION)
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self._aws.endpoint,
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        )

    def deploy(self, **parameters: str) -> None:
        exists = [stack for stack in self.stacks.describe_stacks()["Stacks"] if stack["StackName"] == NAME]
        (self.stacks.update_stack if exists else self.stacks.create_stack)(
            StackName=NAME,
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in {**GIVEN, **parameters}.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        waiter = self.stacks.get_waiter("stack_update_complete" if exists else "stack_create_complete")
        waiter.wait(StackName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def role(self, name: str = DEPLOY_ROLE) -> dict[str, Any]:
        role: dict[str, Any] = self.iam.get_role(RoleName=name)["Role"]
        return role

    def outputs(self) -> dict[str, str]:
        (stack,) = self.stacks.describe_stacks(StackName=NAME)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def attached(self, role: str = DEPLOY_ROLE) -> set[str]:
        found = self.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        return {policy["PolicyName"] for policy in found}

    def policy(self, name: str) -> Any:
        arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
        version = self.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return self.iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]

    def rule(self, alert: str) -> str:
        """The name of an alert's rule."""
        found = self.stacks.describe_stack_resource(StackName=NAME, LogicalResourceId=alert)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def pattern(self, alert: str) -> str:
        """The events that an alert tells of."""
        return str(self.client("events").describe_rule(Name=self.rule(alert))["EventPattern"])


@pytest.fixture
def account(local_aws: LocalAws) -> Account:
    return Account(local_aws)


def tool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [environment("tools") / words[0], *words[1:]],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": "src", "PATH": "/usr/bin:/bin"},
    )


def test_it_is_what_the_documents_make_it() -> None:
    done = tool("python", "-m", "pennyworth.iam.bootstrap_template")
    assert not done.returncode, done.stderr


def test_cfn_lint_finds_nothing_and_it_needs_no_bucket() -> None:
    done = tool("cfn-lint", "--non-zero-exit-code", "informational", str(TEMPLATE))
    assert not done.returncode, done.stdout
    assert len(TEMPLATE.read_bytes()) <= (1 - FREE) * BYTES


def test_a_package_that_a_deployment_may_return_to_never_expires() -> None:
    bucket = build_template()["Resources"]["PackageBucket"]["Properties"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    for rule in bucket["LifecycleConfiguration"]["Rules"]:
        assert (
            not {"ExpirationInDays", "ExpirationDate"} & rule.keys()
        )  # only what was deleted or overwritten


def test_it_makes_what_the_documents_say(account: Account) -> None:
    account.deploy()
    assert account.role()["AssumeRolePolicyDocument"] == render_document(
        "trust", {**VALUES, "SUBJECTS": [MAIN]}
    )
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/pennyworth-deploy-boundary"
    assert account.role()["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert account.attached() == {MANAGED_POLICIES[document] for document in DEPLOYMENT}
    for document in (*DEPLOYMENT, "view", "deploy-boundary", "stack-boundary"):
        assert account.policy(MANAGED_POLICIES[document]) == render_document(document, VALUES)
    provider = account.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)
    assert provider["ClientIDList"] == ["sts.amazonaws.com"]
    assert not account.client("events").list_rules()["Rules"]  # no address, no alerts


def test_it_makes_a_role_that_only_looks(account: Account) -> None:
    repository, ids = GIVEN["Repository"], {"RepositoryOwnerId": "11", "RepositoryId": "22"}
    account.deploy(Subjects=",".join(list_claims(repository, *ids.values(), ["main"], [])), **ids)
    role = account.role(VIEW_ROLE)
    assert account.outputs()["ViewRoleArn"] == role["Arn"]
    subjects = [
        f"repo:{repository}:{context}"
        for context in ("ref:refs/heads/main", "pull_request")
        for repository in ("Octo-Org/pennyworth", "Octo-Org@11/pennyworth@22")
    ]
    assert role["AssumeRolePolicyDocument"] == render_document("trust", {**VALUES, "SUBJECTS": subjects})
    assert account.attached(VIEW_ROLE) == {"pennyworth-view"}
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/pennyworth-view"  # whatever else is attached to it
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    trusted = account.role()["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]
    assert not [one for one in trusted[f"{ISSUER}:sub"] if "pull_request" in one]


def test_the_role_that_only_looks_is_made_only_if_wanted(account: Account) -> None:
    account.deploy(ViewRole="no")
    assert "ViewRoleArn" not in account.outputs()
    assert [role["RoleName"] for role in account.iam.list_roles()["Roles"]] == [DEPLOY_ROLE]
    names = {policy["PolicyName"] for policy in account.iam.list_policies(Scope="Local")["Policies"]}
    assert "pennyworth-view" not in names
    account.deploy()
    assert account.attached(VIEW_ROLE) == {"pennyworth-view"}


def test_the_first_stage_is_attached_and_taken_away_again(account: Account) -> None:
    always = {MANAGED_POLICIES[document] for document in DEPLOYMENT}
    account.deploy(FirstDeployment="yes")
    assert account.attached() == always | {"pennyworth-first-deployment"}
    assert account.policy("pennyworth-first-deployment") == render_document("first-deployment", VALUES)
    account.deploy()
    assert account.attached() == always


def test_every_named_branch_and_environment_is_trusted_in_both_forms(account: Account) -> None:
    named = list_claims(GIVEN["Repository"], "11", "22", ["main", "release/1"], ["production", "the last"])
    account.deploy(RepositoryOwnerId="11", RepositoryId="22", Subjects=",".join(named))
    (statement,) = account.role()["AssumeRolePolicyDocument"]["Statement"]
    contexts = (
        "ref:refs/heads/main",
        "ref:refs/heads/release/1",
        "environment:production",
        "environment:the last",
    )
    assert statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] == [
        f"repo:{repository}:{context}"
        for context in contexts
        for repository in ("Octo-Org/pennyworth", "Octo-Org@11/pennyworth@22")
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"Subjects": "repo:octo/hub:ref:refs/heads/*"},
        {"Subjects": "repo:octo/hub:ref:refs/heads/main,repo:octo/hub:ref:refs/heads/a?"},
        {"Subjects": "repo:octo/hub:environment:${aws:username}"},
        {"Subjects": "repo:octo/hub:pull_request"},
        {"Subjects": "main"},
        {"Repository": "pennyworth"},
        {"Repository": "octo/*"},
        {"StackName": "a-name-of-25-characters-xx"},
        {"Subjects": ""},
        {"NameSuffix": "endpoint"},
        {"HostedZoneId": ""},
        {"AlertEmail": "nobody"},
        {"ExistingOidcProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/elsewhere.example"},
    ],
    ids=str,
)
def test_wrong_parameters_are_refused(account: Account, wrong: dict[str, str]) -> None:
    with pytest.raises(account.stacks.exceptions.ClientError, match="ValidationError"):
        account.deploy(**wrong)


def test_a_provider_that_is_there_already_is_left_alone(account: Account) -> None:
    account.iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"]
    )
    account.deploy(ExistingOidcProviderArn=PROVIDER)
    assert account.role()["AssumeRolePolicyDocument"] == render_document(
        "trust", {**VALUES, "SUBJECTS": [MAIN]}
    )
    resources = account.stacks.describe_stack_resources(StackName=NAME)["StackResources"]
    assert "AWS::IAM::OIDCProvider" not in {resource["ResourceType"] for resource in resources}


def test_the_provider_outlives_the_stack(account: Account) -> None:
    account.deploy()
    account.stacks.delete_stack(StackName=NAME)
    account.stacks.get_waiter("stack_delete_complete").wait(
        StackName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    providers = account.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert providers == [{"Arn": PROVIDER}]
    assert not account.iam.list_roles()["Roles"]


def test_the_alerts_can_be_had_alone(account: Account) -> None:
    account.deploy(AlertEmail="me@example.com", Part="alerts")
    assert len(account.client("events").list_rules()["Rules"]) == 3
    assert not account.iam.list_roles()["Roles"]
    assert not account.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]


def event(source: str, detail: dict[str, Any], kind: str = "AWS API Call via CloudTrail") -> str:
    return json.dumps(
        {
            "id": "1",
            "version": "0",
            "account": ACCOUNT,
            "region": REGION,
            "time": "2026-11-01T12:00:00Z",
            "resources": [],
            "source": source,
            "detail-type": kind,
            "detail": detail,
        }
    )


def taken(role: str = DEPLOY_ROLE, *, subject: str | None = MAIN, error: str = "", call: str = "") -> str:
    """How CloudTrail tells that a role was taken with a token."""
    named = {"userName": subject} if subject else {}
    failed = {"errorCode": error, "errorMessage": "An unknown error occurred"} if error else {}
    detail = {
        "eventSource": "sts.amazonaws.com",
        "eventName": call or "AssumeRoleWithWebIdentity",
        "readOnly": True,
        "userIdentity": {
            "type": "WebIdentityUser",
            "principalId": f"{PROVIDER}:sts.amazonaws.com:{subject}",
            "identityProvider": PROVIDER,
            **named,
        },
        "requestParameters": {
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
            "roleSessionName": "deploy-1",
        },
        **failed,
    }
    return event("aws.sts", detail)


def changed(call: str, **request: str) -> str:
    """How CloudTrail tells of a change in IAM."""
    detail = {"eventSource": "iam.amazonaws.com", "eventName": call, "requestParameters": request}
    return event("aws.iam", detail)


def became(status: str, stack: str = "endpoint") -> str:
    """How CloudFormation tells of a stack's state."""
    arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/0f1e"
    detail = {"stack-id": arn, "status-details": {"status": status, "status-reason": ""}}
    return event("aws.cloudformation", detail, "CloudFormation Stack Status Change")


POLICY = f"arn:aws:iam::{ACCOUNT}:policy/"
TOLD = {
    "RoleTakenOddly": {
        "another branch": (taken(subject=f"{MAIN}x"), True),
        "another repository": (taken(subject="repo:Octo-Org/pennyworth2:ref:refs/heads/main"), True),
        "a pull request": (taken(subject="repo:Octo-Org/pennyworth:pull_request"), True),
        "nobody": (taken(subject=None), True),
        "a refused attempt": (taken(error="AccessDenied"), True),
        "without a token": (taken(call="AssumeRole"), True),
        "the workflow": (taken(), False),
        "another role": (taken("other", subject="repo:x/y:pull_request"), False),
    },
    "RightsChanged": {
        "the policy": (changed("CreatePolicyVersion", policyArn=f"{POLICY}pennyworth-deployment"), True),
        "a boundary": (changed("DeletePolicy", policyArn=f"{POLICY}pennyworth-stack-boundary"), True),
        "the trust": (changed("UpdateAssumeRolePolicy", roleName=DEPLOY_ROLE), True),
        "the view role's trust": (changed("UpdateAssumeRolePolicy", roleName=VIEW_ROLE), True),
        "the view role's policy": (
            changed("CreatePolicyVersion", policyArn=f"{POLICY}pennyworth-view"),
            True,
        ),
        "another policy attached": (
            changed(
                "AttachRolePolicy", roleName=DEPLOY_ROLE, policyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"
            ),
            True,
        ),
        "the provider": (
            changed("AddClientIDToOpenIDConnectProvider", openIDConnectProviderArn=PROVIDER),
            True,
        ),
        "a function's boundary": (
            changed("DeleteRolePermissionsBoundary", roleName="endpoint-FunctionRole-1X"),
            True,
        ),
        "a deployment's own work": (changed("PutRolePolicy", roleName="endpoint-FunctionRole-1X"), False),
        "another policy": (changed("CreatePolicyVersion", policyArn=f"{POLICY}other"), False),
        "another role": (changed("UpdateAssumeRolePolicy", roleName="other"), False),
    },
    "DeploymentFailed": {
        "an update": (became("UPDATE_ROLLBACK_COMPLETE"), True),
        "a creation": (became("ROLLBACK_COMPLETE"), True),
        "a success": (became("UPDATE_COMPLETE"), False),
        "another stack": (became("ROLLBACK_COMPLETE", "endpoint-2"), False),
    },
}


def test_alerts_tell_of_what_they_must_and_of_nothing_else(account: Account) -> None:
    account.deploy(AlertEmail="me@example.com")
    events = account.client("events")
    told = {
        rule: {
            what: events.test_event_pattern(EventPattern=account.pattern(rule), Event=given)["Result"]
            for what, (given, _) in cases.items()
        }
        for rule, cases in TOLD.items()
    }
    assert told == {rule: {what: must for what, (_, must) in cases.items()} for rule, cases in TOLD.items()}


def test_alerts_arrive_at_the_address(account: Account) -> None:
    account.deploy(AlertEmail="me@example.com")
    stack = account.stacks.describe_stacks(StackName=NAME)["Stacks"][0]
    topic = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}["AlertTopicArn"]
    queues, topics = account.client("sqs"), account.client("sns")
    (mail,) = topics.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "me@example.com")
    queue = queues.create_queue(QueueName="mail")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    events = account.client("events")
    # only AWS itself may publish as aws.*: the same rule, for another source
    pattern = account.pattern("DeploymentFailed").replace("aws.cloudformation", "test.cloudformation")
    events.put_rule(Name=account.rule("DeploymentFailed"), EventPattern=pattern)
    events.put_events(
        Entries=[
            {
                "Source": "test.cloudformation",
                "DetailType": "CloudFormation Stack Status Change",
                "Detail": json.dumps(json.loads(became("ROLLBACK_COMPLETE"))["detail"]),
            }
        ]
    )
    (message,) = queues.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    text = json.loads(message["Body"])["Message"]
    assert "A deployment failed: arn:aws:cloudformation:" in text
    assert "changed to ROLLBACK_COMPLETE at 20" in text
