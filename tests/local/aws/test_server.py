"""The local AWS from start to end: quick to come, gone without a trace, and a judge where it is asked to be."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from pennyworth.host.places import ROOT, made
from pennyworth.local.aws.adapter import STAND_IN, VARIABLE
from pennyworth.local.aws.server import LocalAws, LocalAwsFailed

from .conftest import REGION, client, deploy, ends, running

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"


def test_nothing_survives_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, STAND_IN)
    with LocalAws() as aws:
        assert folders(aws.endpoint)
        group = os.getpgid(deploy(aws).json("/")["pid"])
        assert running(group)
    assert ends(group, 2)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(aws.endpoint, timeout=2)  # noqa: S310
    assert not folders(aws.endpoint)


def test_nothing_survives_a_killed_parent() -> None:
    script = """
import os, sys, time
from pennyworth.local.aws.server import LocalAws, LocalAwsFailed
from tests.local.aws.conftest import deploy
with LocalAws() as aws:
    print(os.getpgid(deploy(aws).json("/")["pid"]), aws.endpoint, flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", VARIABLE: STAND_IN},
    )
    assert parent.stdout
    group, endpoint = parent.stdout.readline().decode().split()
    (folder,) = folders(endpoint)
    assert running(int(group))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert ends(int(group), 8)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(endpoint, timeout=2)  # noqa: S310
    with LocalAws():  # the next one clears up
        assert not folder.exists()


def test_a_taken_port_is_told_in_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalAwsFailed) as failed, LocalAws(port=port):
            pass
    assert str(failed.value).endswith(f":\ncan't listen on port {port}: Address already in use")


def test_state_outlives_it_where_asked(tmp_path: Path) -> None:
    with LocalAws(state=tmp_path) as aws:
        client(aws, "ssm").put_parameter(Name="/kept", Value="yes", Type="String")
        storage = client(aws, "s3")
        storage.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": REGION})
        storage.put_object(Bucket="kept", Key="x", Body=b"yes")
    with LocalAws(state=tmp_path) as aws:
        assert client(aws, "ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "yes"
        assert client(aws, "s3").get_object(Bucket="kept", Key="x")["Body"].read() == b"yes"
    with LocalAws() as aws, pytest.raises(ClientError, match="ParameterNotFound"):
        client(aws, "ssm").get_parameter(Name="/kept")


def test_oidc_trust_is_judged_with_auth() -> None:
    with LocalAws(auth=True) as aws:
        iam = client(aws, "iam")
        provider = iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=[AUDIENCE])
        trust = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{ISSUER}:aud": AUDIENCE,
                        f"{ISSUER}:sub": "repo:example/endpoint:ref:refs/heads/main",
                    }
                },
            },
        }
        role = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

        def assume(branch: str, audience: str) -> dict[str, str]:
            return dict(
                client(aws, "sts").assume_role_with_web_identity(
                    RoleArn=role,
                    RoleSessionName="test",
                    WebIdentityToken=token(f"repo:example/endpoint:ref:refs/heads/{branch}", audience),
                )["Credentials"]
            )

        for branch, audience in (("other", AUDIENCE), ("main", "somebody.else")):
            with pytest.raises(ClientError, match="AccessDenied"):
                assume(branch, audience)
        given = assume("main", AUDIENCE)
        as_role = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        caller = client(aws, "sts", *as_role).get_caller_identity()
        assert caller["Arn"].endswith(":assumed-role/deploy/test")
        with pytest.raises(ClientError, match="AccessDenied"):
            client(aws, "s3", *as_role).list_buckets()


def test_functions_hold_their_roles_credentials_with_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, STAND_IN)
    with LocalAws(auth=True) as aws:
        variables = deploy(aws).json("/")["variables"]
        given = [variables[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")]
        caller = client(aws, "sts", *given).get_caller_identity()
        assert ":assumed-role/conformance-AppRole" in caller["Arn"]


def token(subject: str, audience: str) -> str:
    """An unsigned token as GitHub's: the emulator reads its claims and takes its word."""
    claims = {"iss": f"https://{ISSUER}", "sub": subject, "aud": audience, "exp": int(time.time()) + 300}
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, "c2lnbmF0dXJl"])


def folders(endpoint: str) -> list[Path]:
    """The folders of runs that listen there."""
    ports = made("tmp").glob("localaws-*/port")
    return [port.parent for port in ports if endpoint.endswith(f":{port.read_text()}")]
