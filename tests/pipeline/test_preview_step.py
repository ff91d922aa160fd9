"""The preview as the workflow and a person run it, against the local AWS: every state that a stack can be in."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests import warm

from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import ACCOUNT, LocalAws
from pennyworth.local.github import FakeGitHub

REGION = "us-west-2"
STACK = "previewed"
DOMAIN = "secret.example.com"
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  BaseDomain: {Type: String, Default: ""}
  ApiKeys: {Type: String, NoEcho: true, Default: ""}
  MemorySize: {Type: Number, Default: 1024}
  Days: {Type: Number, Default: 30}
  ConfigHash: {Type: String, Default: ""}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
      Policies:
        - PolicyName: own
          PolicyDocument:
            Statement: [{Effect: Allow, Action: "logs:PutLogEvents", Resource: !GetAtt Logs.Arn}]
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: package
      Runtime: python3.13
      Handler: app.handler
      MemorySize: !Ref MemorySize
      Role: !GetAtt Role.Arn
      Environment: {Variables: {KEYS: !Ref ApiKeys, DOMAIN: !Ref BaseDomain}}
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/aws/${AWS::StackName}/${BaseDomain}", RetentionInDays: !Ref Days}
"""
POLICY = '{Effect: Allow, Action: "logs:PutLogEvents", Resource: !GetAtt Logs.Arn}'


@dataclass
class Account:
    """The local AWS, GitHub, and a folder with a built template."""

    environ: dict[str, str]
    github: FakeGitHub
    folder: Path

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.environ["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environ["AWS_SECRET_ACCESS_KEY"],
        )

    def write(self, template: str) -> Path:
        path = self.folder / "template.yaml"
        path.write_text(template)
        (self.folder / "package").mkdir(exist_ok=True)
        (self.folder / "package" / "app.py").write_text("def handler(event, context): return 1\n")
        return path

    def step(self, name: str, template: str = TEMPLATE, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a step of a workflow; its summary is in `summary`."""
        self.summary_file.unlink(missing_ok=True)
        self.output_file.unlink(missing_ok=True)
        return subprocess.run(
            [warm.tools() / "python", "-m", "pennyworth.pipeline.steps", name],
            env={
                **self.environ,
                "TEMPLATE": str(self.write(template)),
                "STACK_NAME": STACK,
                "GITHUB_STEP_SUMMARY": str(self.summary_file),
                "GITHUB_OUTPUT": str(self.output_file),
                "GITHUB_REPOSITORY": self.github.repository,
                "GITHUB_API_URL": self.github.api_url,
                "GITHUB_TOKEN": self.github.grant({"pull-requests": "write"}),
                "PARAMETER_BaseDomain": DOMAIN,
                "SAM_CLI_POLL_DELAY": "0.3",
                **more,
            },
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
        )

    def preview(self, template: str = TEMPLATE, **more: str) -> str:
        """Run the preview, which must succeed; what the comment says, as the summary does."""
        done = self.step("preview", template, PULL_REQUEST="7", **more)
        assert done.returncode == 0, done.stdout + done.stderr
        (body,) = self.github.bodies(7)
        assert not self.change_sets()
        for secret in (STACK, REGION, ACCOUNT, DOMAIN, "sk-secret-key"):
            assert secret not in body
        return body

    def deploy(self, template: str = TEMPLATE, **more: str) -> None:
        done = self.step("deploy", template, **more)
        assert done.returncode == 0, done.stdout + done.stderr

    def change_sets(self) -> list[str]:
        """Those that a preview has left behind."""
        cloudformation = self.client("cloudformation")
        stacks = cloudformation.describe_stacks()["Stacks"]
        return [
            one["ChangeSetName"]
            for stack in stacks
            if stack["StackName"] == STACK
            for one in cloudformation.list_change_sets(StackName=STACK)["Summaries"]
            if one["ChangeSetName"].startswith("pennyworth")
        ]

    @property
    def summary_file(self) -> Path:
        return self.folder / "summary"

    @property
    def output_file(self) -> Path:
        return self.folder / "output"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def account(aws: LocalAws, tmp_path: Path) -> Iterator[Account]:
    with FakeGitHub("example/endpoint", tmp_path / "commits") as github:
        github.open_pull_request(7)
        plain = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GITHUB_"))
        }
        environ = plain | aws.environ(REGION) | {"PYTHONPATH": str(ROOT / "src")}
        account = Account(environ, github, tmp_path)
        yield account
        account.client("cloudformation").delete_stack(StackName=STACK)


def test_before_the_first_deployment_everything_is_listed_and_nothing_left_behind(account: Account) -> None:
    said = account.preview()
    assert "Its first deployment would create **3 resources**" in said
    assert "| `Function` | AWS::Lambda::Function |" in said
    assert "🔓 `Role` (the role of `Function`) may call `logs:PutLogEvents` on `Logs`" in said
    assert "🔓 `lambda.amazonaws.com` may assume the role `Role`" in said
    with pytest.raises(Exception, match="does not exist"):
        account.client("cloudformation").describe_stacks(StackName=STACK)
    assert "changes=true" in account.output_file.read_text()
    assert "first deployment" in account.summary_file.read_text()


def test_the_same_again_is_no_change_and_a_key_that_nobody_gives_stays(account: Account) -> None:
    account.deploy(PARAMETER_ApiKeys="sk-secret-key")
    assert "✅ **Nothing would change**" in account.preview()
    assert "changes=false" in account.output_file.read_text()
    # the same without the summary's frame
    assert "✅ **Nothing would change**" in account.summary_file.read_text()


def test_a_setting_a_permission_and_another_name_are_told(account: Account) -> None:
    account.deploy()
    more = POLICY.replace("logs:PutLogEvents", "logs:*")
    said = account.preview(
        TEMPLATE.replace(POLICY, more), PARAMETER_MemorySize="512", PARAMETER_BaseDomain="other.example.org"
    )
    assert "other.example.org" not in said
    assert "| `MemorySize` | `1024` | `512` |" in said
    assert "| `BaseDomain` | `***` | `***` |" in said
    assert "`Logs` (AWS::Logs::LogGroup) is replaced: **its logs** would be lost" in said
    assert "may now call `logs:*` on `Logs`" in said and "may no longer call `logs:PutLogEvents`" in said
    assert "1024 MiB, arm64 → 512 MiB, arm64" in said


def test_another_package_is_another_package(account: Account) -> None:
    account.deploy()
    (account.folder / "package" / "more.py").write_text("1\n")
    assert "| 🟡&nbsp;changed | `Function` | AWS::Lambda::Function | its package |" in account.preview()


def test_a_refused_template_is_told_in_the_comment_without_secrets(account: Account) -> None:
    account.deploy()
    account.preview()
    bad = TEMPLATE.replace("AWS::Logs::LogGroup", "AWS::Logs::NoSuchThing")
    done = account.step("preview", bad, PULL_REQUEST="7")
    assert done.returncode == 1
    (body,) = account.github.bodies(7)
    assert "❌" in body and "NoSuchThing" in body
    for secret in (STACK, REGION, ACCOUNT, DOMAIN):
        assert secret not in body
    assert not account.change_sets()


def test_a_stack_that_takes_no_deployment_is_left_alone(account: Account) -> None:
    cloudformation = account.client("cloudformation")
    body = """
Resources:
  First: {Type: AWS::SSM::Parameter, Properties: {Type: String, Name: /one, Value: first}}
  Second: {Type: AWS::SSM::Parameter, DependsOn: First, Properties: {Type: String, Name: /one, Value: second}}
"""
    cloudformation.create_stack(StackName=STACK, TemplateBody=body, OnFailure="DO_NOTHING")
    said = account.preview()
    assert "⛔ **The stack is in CREATE_FAILED**" in said
    assert cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] == "CREATE_FAILED"


def test_without_the_right_to_comment_it_is_in_the_summary_and_a_warning_says_so(account: Account) -> None:
    token = account.github.grant({"contents": "read"})
    done = account.step("preview", PULL_REQUEST="7", GITHUB_TOKEN=token)
    assert done.returncode == 0
    assert "::warning title=The preview is in the run's summary only" in done.stdout
    assert "pull-requests: write" in done.stdout
    assert token not in done.stdout + done.stderr
    assert account.github.bodies(7) == []
    assert "first deployment" in account.summary_file.read_text()


def test_without_a_pull_request_nothing_is_said_to_github(account: Account) -> None:
    assert account.step("preview").returncode == 0
    assert not account.github.exchanges


def test_what_is_missing_is_named(account: Account) -> None:
    done = account.step("preview", TEMPLATE, STACK_NAME="")
    assert done.returncode == 1 and "STACK_NAME is not set" in done.stdout


def person(account: Account, *words: str) -> subprocess.CompletedProcess[str]:
    template = account.write(TEMPLATE)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pennyworth.cli",
            "preview",
            "--region",
            REGION,
            "--template",
            template,
            *words,
        ],
        env=account.environ,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=account.folder,
    )


def test_a_person_sees_names_and_what_they_do_not_give_stays(account: Account) -> None:
    account.deploy(PARAMETER_Days="7")
    done = person(account, "--stack-name", STACK, "--parameter", "MemorySize=256", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(one["name"], one["before"], one["after"]) for one in found["settings"]] == [
        ("MemorySize", "1024", "256")
    ]
    assert not account.change_sets()
    hidden = person(account, "--stack-name", STACK, "--parameter", f"BaseDomain=new.{DOMAIN}", "--hide")
    shown = person(account, "--stack-name", STACK, "--parameter", f"BaseDomain=new.{DOMAIN}")
    assert DOMAIN in shown.stdout and DOMAIN not in hidden.stdout


def test_a_parameter_that_there_is_not_is_refused(account: Account) -> None:
    done = person(account, "--stack-name", STACK, "--parameter", "Memory=256")
    assert done.returncode == 1
    assert "no parameter Memory" in done.stderr and "MemorySize" in done.stderr
