"""Credentials of a deployed endpoint: set before there is a stack, replaced while it runs, with no deployment."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from tests import warm

from pennyworth.host.environments import clean_environ
from pennyworth.host.places import ROOT, made
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.demo import deployment
from pennyworth.local.demo.deployment import STACK
from pennyworth.local.llm.scripted import ScriptedUpstream
from pennyworth.pipeline.build import Target, sam_build

UPSTREAM_KEY = "sk-upstream-0123456789"
KEY = "sk-caller-0123456789-aaaa"
LATEST_SECONDS = 20


@dataclass
class Deployed:
    """An endpoint, its upstream and the account that it is in."""

    aws: LocalAws
    upstream: ScriptedUpstream
    url: str = ""
    log_group: str = ""

    def client(self, service: str) -> Any:
        given = self.aws.environ()
        return boto3.client(
            service,
            endpoint_url=self.aws.endpoint,
            region_name=given["AWS_REGION"],
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        )

    def credentials(self, *words: str, given: str = "") -> str:
        """Run `pennyworth credentials`: what it prints on standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "pennyworth.cli", "credentials", "--stack-name", STACK, *words],
            env={**clean_environ(), **self.aws.environ(), "PYTHONPATH": str(ROOT / "src")},
            input=given,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "ignores these credentials" not in done.stderr
        return done.stdout.strip()

    def ask(self, key: str) -> int:
        """A question's status."""
        address = urlsplit(self.url)
        connection = HTTPConnection(str(address.hostname), address.port, timeout=30)
        body = json.dumps({"model": "smart", "messages": [{"role": "user", "content": "Hello"}]})
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"{address.path}/chat/completions", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def last_deployment(self) -> str:
        events = self.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        return str(events[0]["EventId"])


@pytest.fixture(scope="module")
def first_deployed() -> Iterator[Deployed]:
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(deployment, "environment", warm.environment)
        upstream = stack.enter_context(ScriptedUpstream(key=UPSTREAM_KEY))
        there = Deployed(stack.enter_context(LocalAws(auth=True)), upstream)
        there.credentials("set", "OPENAI_API_KEY", given=UPSTREAM_KEY)
        there.credentials("set", "LITELLM_API_KEYS", given=f"{KEY}\n")

        config = made("build", "tests") / "credentials.json"
        params = {"model": "openai/real-name", "api_base": upstream.base_url}
        config.write_text(json.dumps({"model_list": [{"model_name": "smart", "litellm_params": params}]}))
        target = Target.here()
        out = made("build", "tests", "credentials")
        template = sam_build(target, config=config, litellm=False, out=out)
        endpoint = deployment.deploy(there.aws, template, target.parameters())
        there.url, there.log_group = endpoint.url, endpoint.log_group

        # nobody waits for five minutes in a test
        functions = there.client("lambda")
        (name,) = [one["FunctionName"] for one in functions.list_functions()["Functions"]]
        settings = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        assert settings["PENNYWORTH_PARAMETERS"] == f"/{STACK}/credentials"
        brisk = {"Variables": {**settings, "PENNYWORTH_REFRESH_SECONDS": "1"}}
        functions.update_function_configuration(FunctionName=name, Environment=brisk)
        version = functions.publish_version(FunctionName=name)["Version"]
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        there.aws.keep("deployed")
        yield there


@pytest.fixture
def deployed(first_deployed: Deployed) -> Deployed:
    """The endpoint as it was deployed."""
    first_deployed.aws.restore("deployed")
    first_deployed.upstream.key = UPSTREAM_KEY
    return first_deployed


def becomes(expected: int, call: Callable[[], int]) -> None:
    until = time.monotonic() + LATEST_SECONDS
    while (status := call()) != expected:
        assert time.monotonic() < until, f"still {status}"
        time.sleep(0.3)


def test_a_key_is_rotated_without_a_deployment(deployed: Deployed) -> None:
    before = deployed.last_deployment()
    assert deployed.ask(KEY) == 200
    assert deployed.ask("sk-unknown") == 401

    new = deployed.credentials("create-key", "--label", "phone")
    becomes(200, lambda: deployed.ask(new))
    assert deployed.ask(KEY) == 200, "the old one goes on until it is removed"
    listed = deployed.credentials("list")
    assert f"…{new[-4:]}" in listed and new not in listed

    deployed.credentials("remove", "--api-key", KEY[-4:])
    becomes(401, lambda: deployed.ask(KEY))
    assert deployed.ask(new) == 200

    deployed.upstream.key = "sk-upstream-renewed"
    assert deployed.ask(new) == 401
    deployed.credentials("set", "OPENAI_API_KEY", given="sk-upstream-renewed")
    becomes(200, lambda: deployed.ask(new))

    assert deployed.last_deployment() == before
    events = deployed.client("logs").filter_log_events(logGroupName=deployed.log_group, limit=10000)["events"]
    log = "\n".join(event["message"] for event in events)
    assert "parameters read" in log
    for value in (KEY, new, UPSTREAM_KEY, "sk-upstream-renewed"):
        assert value not in log


def test_a_store_that_refuses_is_told_kindly_and_tried_again(deployed: Deployed) -> None:
    iam = deployed.client("iam")
    (role,) = [one["RoleName"] for one in iam.list_roles()["Roles"] if STACK in one["RoleName"]]
    policy = iam.get_role_policy(RoleName=role, PolicyName="read-credentials")["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName="read-credentials")
    assert deployed.ask(KEY) == 503
    iam.put_role_policy(RoleName=role, PolicyName="read-credentials", PolicyDocument=json.dumps(policy))
    becomes(200, lambda: deployed.ask(KEY))
