"""A person's shell: a local AWS, GitHub's own program played by a small one, and the command as they type it."""

import os
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest

from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import ACCOUNT, LocalAws
from tests import warm
from tests.gh import Gh
from tests.names import DEPLOY_ROLE

REGION = "us-west-2"
HOME = "us-east-1"
DOMAIN = "example.com"
REPOSITORY = "Octo/pennyworth"


class Shell:
    """What a person has before them."""

    def __init__(self, aws: LocalAws, folder: Path, before: Gh | None = None) -> None:
        """
        Args:
            aws: an empty account, or one that such a shell has worked in.
            folder: takes gh, and what it keeps.
            before: that shell's gh, whose secrets and calls this one's has too.
        """
        self.aws = aws
        self.gh = Gh(folder, REPOSITORY, before)
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **aws.environ(REGION),
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
        }
        route53 = self.client("route53")
        if before is None:
            route53.create_hosted_zone(Name=DOMAIN, CallerReference=DOMAIN)
        (zone,) = route53.list_hosted_zones_by_name(DNSName=DOMAIN)["HostedZones"]
        self.zone = str(zone["Id"]).rpartition("/")[2]
        self.iam = self.client("iam")

    def client(self, service: str, region: str = REGION) -> Any:
        """Whatever happened in AWS."""
        environ = self.aws.environ(region)
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.aws.endpoint,
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        )

    def pennyworth(
        self, *words: str, python: str | Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Type a command; nobody answers its questions.

        Args:
            words: the command's.
            python: what runs it; by default that of `tools`, which the command would go on in by itself, warm.
            environ: environment variables beside the shell's.
        """
        return subprocess.run(
            [python or warm.tools() / "python", "-m", "pennyworth.cli", *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=self.environ | environ,
            cwd=ROOT,
        )

    def bootstrap(self, *words: str) -> str:
        """Set up, which must succeed; what was printed."""
        done = self.pennyworth("bootstrap", "--domain", DOMAIN, "--yes", *words)
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout

    def log_out(self) -> None:
        """Leave gh."""
        self.gh.log_out()

    @property
    def secrets(self) -> dict[str, str]:
        """The repository's secrets."""
        return self.gh.secrets

    @property
    def calls(self) -> list[list[str]]:
        """What gh was called with, each call's arguments."""
        return self.gh.calls

    def stacks(self, region: str = REGION) -> set[str]:
        """The stacks that there are."""
        listed = self.client("cloudformation", region).describe_stacks()["Stacks"]
        return {stack["StackName"] for stack in listed if stack["StackStatus"] != "DELETE_COMPLETE"}

    def arn(self, policy: str) -> str:
        """A managed policy's ARN."""
        return f"arn:aws:iam::{ACCOUNT}:policy/{policy}"

    def policy(self, name: str) -> Any:
        """What a managed policy says."""
        version = self.iam.get_policy(PolicyArn=self.arn(name))["Policy"]["DefaultVersionId"]
        found = self.iam.get_policy_version(PolicyArn=self.arn(name), VersionId=version)
        return found["PolicyVersion"]["Document"]

    def role(self) -> Any:
        """The deploy role."""
        return self.iam.get_role(RoleName=DEPLOY_ROLE)["Role"]


@pytest.fixture
def shell(local_aws: LocalAws, tmp_path: Path) -> Shell:
    return Shell(local_aws, tmp_path)
