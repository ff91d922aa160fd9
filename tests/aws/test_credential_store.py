"""The credentials in the Parameter Store: by the command, by the deployment's step, and both in turn."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from tests import warm

from pennyworth.aws.credential_store import (
    API_KEYS,
    Credential,
    Credentials,
    CredentialsFailed,
    parse_secrets,
)
from pennyworth.gateway import parameters
from pennyworth.gateway.aws.client import Client
from pennyworth.host.environments import clean_environ
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import LocalAws
from pennyworth.pipeline.steps import credentials as step

REGION = "us-west-2"
STACK = "endpoint"
PATH = f"/{STACK}/credentials"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def environ(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """An account without parameters."""
    for name, value in aws.environ(REGION).items():
        monkeypatch.setenv(name, value)
    yield aws.environ(REGION)
    ssm = boto3.client("ssm", region_name=REGION)
    for name in Credentials(STACK, REGION).fetch_all():
        ssm.delete_parameter(Name=f"{PATH}/{name}")


@pytest.fixture
def credentials(environ: dict[str, str]) -> Credentials:
    return Credentials(STACK, REGION)


def seen_by_the_gateway(environ: dict[str, str]) -> dict[str, str]:
    return parameters.read(Client(environ), PATH)


def values(credentials: Credentials) -> dict[str, str]:
    return {name: one.value for name, one in credentials.fetch_all().items()}


def command(
    environ: dict[str, str],
    *words: str,
    given: str = "",
    fails: bool = False,
    python: str | Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `pennyworth credentials` as a person does, by default on a Python that has its libraries imported."""
    done = subprocess.run(
        [
            python or warm.tools() / "python",
            "-m",
            "pennyworth.cli",
            "credentials",
            "--stack-name",
            STACK,
            *words,
        ],
        env={**clean_environ(), **environ, "PYTHONPATH": str(ROOT / "src")},
        input=given,
        capture_output=True,
        text=True,
    )
    assert (done.returncode != 0) is fails, done.stderr
    return done


def test_the_command(environ: dict[str, str], tmp_path: Path) -> None:
    assert "There are no credentials" in command(environ, "list", python=sys.executable).stderr
    command(environ, "set", "OPENAI_API_KEY", given="sk-openai-0123456789\n")
    key_file = tmp_path / "keys"
    key_file.write_text("sk-first-caller-aaaa,sk-second-caller-bbbb\n")
    command(environ, "set", API_KEYS, "--file", str(key_file))
    rotated = command(environ, "create-key", "--label", "phone")
    new = rotated.stdout.strip()
    assert new.startswith("sk-") and len(new) > 40
    assert new not in rotated.stderr

    listed = command(environ, "list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == [
        API_KEYS,
        f"{API_KEYS}/phone",
        "OPENAI_API_KEY",
    ]
    assert "…aaaa …bbbb" in listed and f"…{new[-4:]}" in listed and "…6789" in listed
    for secret in (new, "sk-first-caller", "sk-openai"):
        assert secret not in listed
    first, *_ = listed.splitlines()
    assert first.split()[1].count("-") == 2, "when it was changed"

    keys = seen_by_the_gateway(environ)[API_KEYS].split(",")
    assert sorted(keys) == sorted(["sk-first-caller-aaaa", "sk-second-caller-bbbb", new])
    assert "Removed" in command(environ, "remove", "--api-key", "aaaa").stderr
    assert sorted(seen_by_the_gateway(environ)[API_KEYS].split(",")) == sorted(["sk-second-caller-bbbb", new])
    command(environ, "remove", f"{API_KEYS}/phone")
    command(environ, "remove", API_KEYS)
    assert seen_by_the_gateway(environ) == {"OPENAI_API_KEY": "sk-openai-0123456789"}


def test_a_rotated_key_works_beside_the_new_one_until_a_date(environ: dict[str, str]) -> None:
    old = command(environ, "create-key", "--label", "alice").stdout.strip()
    rotated = command(environ, "rotate", "alice", "--until", "2100-01-31")
    new = rotated.stdout.strip()
    assert new.startswith("sk-") and new != old and new not in rotated.stderr
    name = f"{API_KEYS}/alice.until-2100-01-31"
    assert name in rotated.stderr and name in command(environ, "list").stdout
    assert sorted(seen_by_the_gateway(environ)[API_KEYS].split(",")) == sorted([old, new])
    command(environ, "remove", name)
    command(environ, "set", f"{API_KEYS}/alice.until-2020-01-31", given=old)
    assert seen_by_the_gateway(environ)[API_KEYS] == new
    command(environ, "rotate", "alice", "--until", "2100-01-31")
    assert "2020-01-31" not in command(environ, "list").stdout, "what has expired is cleared away"
    command(environ, "remove", name)
    command(environ, "remove", f"{API_KEYS}/alice")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rotate", "nobody"], "There is no key LITELLM_API_KEYS/nobody"),
        (["rotate", "bob", "--until", "2020-01-01"], "2020-01-01 is in the past"),
    ],
)
def test_what_can_not_be_rotated(environ: dict[str, str], words: list[str], said: str) -> None:
    command(environ, "create-key", "--label", "bob")
    assert said in command(environ, *words, fails=True).stderr
    command(environ, "remove", f"{API_KEYS}/bob")


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (["set", "OPENAI_API_KEY"], " \n", "OPENAI_API_KEY is empty"),
        (["set", "not a name"], "value", "is not the name"),
        (["set", "AWS_ACCESS_KEY_ID"], "AKIA", "is reserved"),
        (["set", "A", "--file", "/nowhere"], "", "No such file"),
        (["remove", "NOWHERE"], "", "There is no such credential"),
        (["remove", "--api-key", "0000"], "", "No API keys end with that"),
        (["remove"], "", "one of the arguments"),
    ],
)
def test_what_the_command_refuses(environ: dict[str, str], words: list[str], given: str, said: str) -> None:
    done = command(environ, *words, given=given, fails=True)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_rights_aws_own_words_are_told(environ: dict[str, str]) -> None:
    with LocalAws(auth=True) as aws:
        nobody = {"AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": "wrong"}
        done = command({**aws.environ(REGION), **nobody}, "list", fails=True)
    assert "UnrecognizedClientException" in done.stderr


def test_a_stack_with_plain_variables_is_told_apart(environ: dict[str, str]) -> None:
    cloudformation = boto3.client("cloudformation", region_name=REGION)
    queue = (
        'Resources: {One: {Type: AWS::SSM::Parameter, Properties: {Type: String, Name: /one, Value: "1"}}}\n'
    )
    try:
        for outputs, warned in (("", True), ("Outputs: {CredentialsPath: {Value: path}}\n", False)):
            cloudformation.create_stack(StackName=STACK, TemplateBody=queue + outputs)
            cloudformation.get_waiter("stack_create_complete").wait(
                StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
            )
            assert ("ignores these credentials" in command(environ, "list").stderr) is warned
            cloudformation.delete_stack(StackName=STACK)
            cloudformation.get_waiter("stack_delete_complete").wait(
                StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
            )
    finally:
        cloudformation.delete_stack(StackName=STACK)


def test_a_key_that_is_not_told_apart_stays(credentials: Credentials) -> None:
    credentials.set(API_KEYS, "sk-one-7777,sk-two-7777")
    for ending in ("7777", "777", ""):
        with pytest.raises(CredentialsFailed):
            credentials.revoke(ending)
    assert credentials.revoke("one-7777") == API_KEYS
    assert credentials.revoke("sk-two-7777") == API_KEYS
    assert not credentials.fetch_all()


def test_a_label_names_one_key(credentials: Credentials) -> None:
    name, key = credentials.create_key("phone")
    with pytest.raises(CredentialsFailed, match="already exists"):
        credentials.create_key("phone")
    with pytest.raises(CredentialsFailed, match="not the name"):
        credentials.create_key("../other")
    assert values(credentials) == {name: key}


def run(keys: str, providers: str = "") -> str:
    return step.run(
        {
            **os.environ,
            "STACK_NAME": STACK,
            "AWS_REGION": REGION,
            API_KEYS: keys,
            "PROVIDER_CREDENTIALS": providers,
        }
    )


def versions(name: str) -> int:
    found = boto3.client("ssm", region_name=REGION).get_parameter(Name=f"{PATH}/{name}")
    return int(found["Parameter"]["Version"])


PROVIDERS = "# mine\nexport OPENAI_API_KEY='sk-openai-0123'\nANTHROPIC_API_KEY=sk-ant-4567\nEMPTY=\n"


def test_the_step_writes_what_changed_and_nothing_else(
    credentials: Credentials, capfd: pytest.CaptureFixture[str]
) -> None:
    told = run("sk-caller-one, sk-caller-two,", PROVIDERS)
    assert told.count("| written |") == 3
    assert values(credentials) == {
        API_KEYS: "sk-caller-one,sk-caller-two",
        "ANTHROPIC_API_KEY": "sk-ant-4567",
        "OPENAI_API_KEY": "sk-openai-0123",
    }
    kind = boto3.client("ssm", region_name=REGION).get_parameter(Name=f"{PATH}/OPENAI_API_KEY")["Parameter"]
    assert kind["Type"] == "SecureString" and kind["Value"] != "sk-openai-0123"

    told = run("sk-caller-one,sk-caller-two", PROVIDERS.replace("0123", "9999"))
    assert told.count("as it was") == 2 and told.count("| written |") == 1
    assert [versions(name) for name in (API_KEYS, "ANTHROPIC_API_KEY", "OPENAI_API_KEY")] == [1, 1, 2]

    told = run("sk-caller-one,sk-caller-two", "OPENAI_API_KEY=sk-openai-9999")
    assert "| `ANTHROPIC_API_KEY` | removed" in told
    assert set(values(credentials)) == {API_KEYS, "OPENAI_API_KEY"}

    shown = [line for line in capfd.readouterr().out.splitlines() if not line.startswith("::add-mask::")]
    for secret in ("sk-caller", "sk-openai", "sk-ant"):
        assert secret not in "\n".join(shown) + told


def test_what_was_done_by_hand_stays_until_the_secret_changes(credentials: Credentials) -> None:
    run("sk-caller-one,sk-caller-two", "OPENAI_API_KEY=sk-openai-0123")
    issued, key = credentials.create_key()
    credentials.revoke("sk-caller-one")
    credentials.set("OPENAI_API_KEY", "sk-openai-rotated")
    credentials.set("GROQ_API_KEY", "by hand alone")
    there = values(credentials)

    told = run("sk-caller-one,sk-caller-two", "OPENAI_API_KEY=sk-openai-0123")
    assert told.count("changed by hand") == 2
    assert values(credentials) == there
    assert there[issued] == key and there["GROQ_API_KEY"] and there[API_KEYS] == "sk-caller-two"

    run("sk-caller-three", "OPENAI_API_KEY=sk-openai-new")
    assert values(credentials) == {
        **there,
        API_KEYS: "sk-caller-three",
        "OPENAI_API_KEY": "sk-openai-new",
    }
    credentials.set("OPENAI_API_KEY", "sk-openai-by-hand")
    run("sk-caller-three")  # taken out of the secrets, after somebody had taken it over
    assert values(credentials)["OPENAI_API_KEY"] == "sk-openai-by-hand"


@pytest.mark.usefixtures("environ")
def test_the_step_names_what_is_missing() -> None:
    with pytest.raises(OperationFailed) as failed:
        run(" ")
    assert API_KEYS in failed.value.title
    with pytest.raises(OperationFailed) as failed:
        run("sk-caller-one", "not-a-name=value-of-it")
    assert "not-a-name" in failed.value.detail and "value-of-it" not in failed.value.detail


def test_the_secrets_by_name() -> None:
    assert parse_secrets(" a ,b,", PROVIDERS) == {
        API_KEYS: "a,b",
        "OPENAI_API_KEY": "sk-openai-0123",
        "ANTHROPIC_API_KEY": "sk-ant-4567",
    }
    assert parse_secrets("", "") == {}


@pytest.mark.parametrize(
    ("value", "shown"),
    [("0123456789abcdef", "…cdef"), ("0123456789ab", "…9ab"), ("0123", "…3"), ("012", "…")],
)
def test_at_most_a_quarter_of_a_value_is_shown(value: str, shown: str) -> None:
    credential = Credential("A", datetime.now(UTC), value)
    assert credential.list_endings() == [shown]
    assert value not in repr(credential)
