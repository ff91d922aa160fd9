"""The credentials in the Parameter Store: by the command, by the deployment's step, and both in turn."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from tests import warm

from pennyworth.aws.credential_store import (
    Credential,
    Credentials,
    CredentialsFailed,
    parse_secrets,
)
from pennyworth.gateway import parameters
from pennyworth.gateway.aws.client import Client
from pennyworth.gateway.credentials import API_KEYS
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
    assert "InvalidClientTokenId" in done.stderr and "invalid. Log in with `aws sso login`" in done.stderr


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


def run(keys: str, providers: str = "", **more: str) -> str:
    return step.run(
        {
            **os.environ,
            **more,
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


def test_what_a_version_may_still_need_is_removed_by_itself(
    credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    run("sk-caller-one", "OLD_KEY=sk-old-0123")
    now = {"keys": "sk-caller-one", "providers": "NEW_KEY=sk-new-0123"}
    told = run(**now, PART="write", WAIT_MINUTES="1")
    assert "OLD_KEY" not in told and "| `NEW_KEY` | written |" in told
    assert set(values(credentials)) == {API_KEYS, "OLD_KEY", "NEW_KEY"}
    told = run(**now, PART="remove")
    assert "| `OLD_KEY` | removed" in told and "NEW_KEY" not in told
    assert set(values(credentials)) == {API_KEYS, "NEW_KEY"}
    assert run(**now, PART="remove") == ""
    assert output.read_text().splitlines() == [
        f"written={API_KEYS}, OLD_KEY",
        "written=NEW_KEY",
        "written=",
        "written=",
    ]
    with pytest.raises(OperationFailed, match="both, write, remove"):
        run(**now, PART="some")


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
    assert "PROVIDER_CREDENTIALS, line 1: the name must have" in failed.value.detail
    assert "value-of-it" not in str(failed.value)


CANARY = "canary-0123456789"


def test_nothing_is_written_if_anything_is_wrong(
    credentials: Credentials, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = f"OPENAI_API_KEY={CANARY}-good\n{CANARY}\nLITELLM_API_KEYS={CANARY}\nA={CANARY}{{{{x}}}}\n"
    with pytest.raises(OperationFailed) as failed:
        run(f"sk-caller-one,sk {CANARY}", broken)
    assert failed.value.detail.splitlines() == [
        "LITELLM_API_KEYS, key 2: white space inside the key. Put commas between keys",
        "PROVIDER_CREDENTIALS, line 2: expected NAME=value",
        "PROVIDER_CREDENTIALS, line 3: LITELLM_API_KEYS is reserved: it is a secret of its own",
        "PROVIDER_CREDENTIALS, line 4: the value contains {{, which the Parameter Store refuses",
    ]
    assert "one NAME=value per line" in failed.value.message
    assert not credentials.fetch_all()
    out = capfd.readouterr().out
    shown = [line for line in out.splitlines() if not line.startswith("::add-mask::")]
    assert CANARY not in "\n".join([*shown, str(failed.value)])
    with pytest.raises(OperationFailed, match="NAME=value") as failed:
        run(" , ")
    assert failed.value.detail == "LITELLM_API_KEYS: contains no key"


def test_a_long_list_of_keys_takes_several_parameters(
    environ: dict[str, str], credentials: Credentials
) -> None:
    keys = [f"sk-{number:04}-{'x' * 40}" for number in range(200)]
    parts = [API_KEYS, f"{API_KEYS}/part/2", f"{API_KEYS}/part/3"]
    _, own = credentials.create_key("part")
    assert run(",".join(keys)).count("| written |") == 3
    there = values(credentials)
    assert sorted(there) == sorted([*parts, f"{API_KEYS}/part"])
    assert all(len(value) <= 4096 for value in there.values())
    assert sorted(seen_by_the_gateway(environ)[API_KEYS].split(",")) == sorted([*keys, own])
    listed = command(environ, "list").stdout
    assert f"{API_KEYS}/part/2 " in listed

    assert run("\n".join(keys)).count("as it was") == 3, "lines say the same as commas"
    assert [versions(name) for name in parts] == [1, 1, 1]

    longer = [f"sk-first-{'x' * 40}", *keys]
    assert run(",".join(longer)).count("| written |") == 3
    assert sorted(seen_by_the_gateway(environ)[API_KEYS].split(",")) == sorted([*longer, own])

    left = keys[:90]
    credentials.revoke(keys[199])  # by hand, in a part that goes away altogether
    told = run(",".join(left))
    assert told.count("| removed") == 1
    assert sorted(seen_by_the_gateway(environ)[API_KEYS].split(",")) == sorted([*left, own])
    assert set(values(credentials)) == {*parts[:2], f"{API_KEYS}/part"}
    run(left[0])
    assert values(credentials) == {API_KEYS: left[0], f"{API_KEYS}/part": own}


def test_no_key_is_missing_while_a_list_grows_or_shrinks(
    credentials: Credentials, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"sk-{number:04}-{'x' * 40}" for number in range(200)]
    run(",".join(keys[10:]))
    put, seen = Credentials._put, []

    def look(self: Credentials, name: str, value: str, origin: str) -> None:
        put(self, name, value, origin)
        seen.append(set(seen_by_the_gateway(environ)[API_KEYS].split(",")))

    monkeypatch.setattr(Credentials, "_put", look)
    run(",".join(keys))
    run(",".join(keys[20:]))
    assert len(seen) == 6 and all(there >= set(keys[20:]) for there in seen)


def test_the_gateway_reads_what_was_written_elsewhere_in_the_same_way(
    environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    ssm = boto3.client("ssm", region_name=REGION)
    for name, value in (
        (API_KEYS, "'sk-a'\n\"sk-b\","),
        (f"{API_KEYS}/phone", "'sk-c,sk-d'"),
        ("PROVIDER_CREDENTIALS", f"A={CANARY}\n{CANARY}\n"),
    ):
        ssm.put_parameter(Name=f"{PATH}/{name}", Value=value, Type="SecureString")
    capfd.readouterr()
    assert seen_by_the_gateway(environ) == {API_KEYS: "sk-a,sk-b,sk-c,sk-d", "A": CANARY}
    logged = capfd.readouterr().out
    assert "PROVIDER_CREDENTIALS, line 2: expected NAME=value" in logged and CANARY not in logged


def test_a_part_of_the_secrets_keys_is_changed_in_the_secret(credentials: Credentials) -> None:
    keys = [f"sk-{number:04}-{'x' * 40}" for number in range(100)]
    run(",".join(keys))
    with pytest.raises(CredentialsFailed, match="repository's secret"):
        credentials.rotate_key("part/2", datetime.now(UTC).date())
    with pytest.raises(CredentialsFailed, match="not the name"):
        credentials.set(f"{API_KEYS}/part/2", "sk-other")
    assert credentials.revoke(keys[-1]) == f"{API_KEYS}/part/2"
    assert "changed by hand" in run(",".join(keys))
    assert keys[-1] not in ",".join(values(credentials).values())


PEM = "-----BEGIN PRIVATE KEY-----\nMIIE+/canary==\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (f"{PEM}\n", PEM),
        (PEM, PEM[:-1]),
        ('{\r\n  "a": 1\r\n}\r\n', '{\n  "a": 1\n}'),
        ("\ufeffsk-a", "sk-a"),
        ("x" * 4096 + "\n", "x" * 4096),
    ],
)
def test_a_value_is_stored_as_it_is_but_for_its_last_line_end(
    environ: dict[str, str], credentials: Credentials, tmp_path: Path, given: str, stored: str
) -> None:
    file = tmp_path / "value"
    file.write_bytes(given.encode())
    for name, words in (("PIPED", []), ("FILED", ["--file", str(file)])):
        done = command(environ, "set", name, *words, given=given)
        assert values(credentials)[name] == stored
        assert done.stdout + done.stderr == f"{PATH}/{name} is set.\n"


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (
            ["set", "A"],
            f"{CANARY}{'x' * 4096}",
            "has 4113 bytes. The Parameter Store takes at most 4096 (4 KB)",
        ),
        (["set", "A"], f"{CANARY}{{{{", "contains {{, which the Parameter Store refuses"),
        (["set", f"A={CANARY}"], "", "not the name"),
        (["set", "A", CANARY], "", "don't put the value on the command line"),
        (["set", API_KEYS], f"{CANARY} {CANARY}", "LITELLM_API_KEYS, key 1: white space inside"),
        (["set", API_KEYS], ",".join(f"{CANARY}{n}" for n in range(300)), f"the keys as {API_KEYS}/LABEL"),
        (["set", "PROVIDER_CREDENTIALS"], CANARY, "line 1: expected NAME=value"),
    ],
)
def test_a_value_that_is_refused_is_not_shown(
    environ: dict[str, str], credentials: Credentials, words: list[str], given: str, said: str
) -> None:
    done = command(environ, *words, given=given, fails=True)
    assert said in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert not credentials.fetch_all()


def test_a_value_that_is_no_text_is_not_shown(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_bytes(CANARY.encode() + b"\xff")
    done = command(environ, "set", "A", "--file", str(file), fails=True)
    assert "not UTF-8 text" in done.stderr and CANARY not in done.stderr


def test_what_aws_says_of_a_value_does_not_show_it(
    credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**given: str) -> None:
        error = {"Code": "ValidationException", "Message": f"Value '{given['Value']}' is odd"}
        raise ClientError({"Error": error}, "PutParameter")

    monkeypatch.setattr(credentials._ssm, "put_parameter", refuse)
    with pytest.raises(CredentialsFailed) as failed:
        credentials.set("A", CANARY)
    assert "'***' is odd" in str(failed.value) and CANARY not in str(failed.value)


@pytest.mark.parametrize(
    ("login", "words"),
    [({}, ["list"]), ({}, ["set", "A"]), ({}, ["create-key"]), ({"AWS_PROFILE": "nowhere"}, ["list"])],
)
def test_without_aws_credentials_it_says_how_to_log_in(
    tmp_path: Path, login: dict[str, str], words: list[str]
) -> None:
    nobody = {"AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path), **login}
    done = command(nobody, *words, given=CANARY, fails=True)
    assert "Log in with `aws sso login`" in done.stderr
    assert "Traceback" not in done.stderr and CANARY not in done.stderr


def test_the_secrets_by_name() -> None:
    assert parse_secrets(" sk-caller-a ,sk-caller-b,", PROVIDERS) == {
        API_KEYS: "sk-caller-a,sk-caller-b",
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
