"""Going back to the version that served before: by itself after failed smoke tests, and by hand."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests import warm

from pennyworth.aws.function_versions import AliasedFunction, find_function
from pennyworth.aws.stack import Stack
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT, made
from pennyworth.local.aws.server import LocalAws
from pennyworth.pipeline.build import Target, sam_build
from pennyworth.pipeline.deploy import verify as verification
from pennyworth.pipeline.steps import deploy, prune, rollback, smoke_test, verify

REGION = "us-west-2"
STACK = "rolled"
DOMAIN = "rolled.example.com"
FIRST, SECOND = "sk-first-0123456789", "sk-second-0123456789"
LIGHT = "models,unknown-model,chat,stream"  # there is no provider to ask

Parameters = Callable[[str], dict[str, str]]

TINY = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  ConfigHash: {Type: String, Default: ""}
  Setting: {Type: String, Default: ""}
  Rollout: {Type: String, Default: all-at-once}
Resources:
  Function:
    Type: AWS::Serverless::Function
    UpdateReplacePolicy: Retain
    Properties:
      Description: !Sub "${Setting} ${ConfigHash}"
      Runtime: python3.13
      Handler: index.handler
      InlineCode: "def handler(event, context): return context.function_version"
      AutoPublishAlias: live
      VersionDescription: !Sub "${Setting} ${ConfigHash}"
Outputs:
  FunctionName: {Value: !Ref Function}
  FunctionAlias: {Value: live}
  FunctionVersion: {Value: !Ref Function.Version}
""".replace("python3.13", f"python{Target.here().python}")

LATE = """
  Late:
    Type: AWS::Lambda::Alias
    DependsOn: FunctionAliaslive
    Properties: {FunctionName: !Ref Function, FunctionVersion: $LATEST, Name: live}
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def zone(aws: LocalAws) -> str:
    login = aws.environ(REGION)
    route53 = boto3.client(
        "route53",
        region_name=REGION,
        endpoint_url=aws.endpoint,
        aws_access_key_id=login["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=login["AWS_SECRET_ACCESS_KEY"],
    )
    made = route53.create_hosted_zone(Name=DOMAIN, CallerReference=DOMAIN)
    return str(made["HostedZone"]["Id"]).rpartition("/")[2]


@pytest.fixture(autouse=True)
def account(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in aws.environ(REGION).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SAM_CLI_POLL_DELAY", "0.3")
    monkeypatch.setattr(verification, "_PAUSE_SECONDS", 0.1)
    yield
    client("cloudformation").delete_stack(StackName=STACK)


@pytest.fixture(scope="session")
def endpoint() -> Path:
    """This project's template, built."""
    return sam_build(Target.here(), config=None, litellm=False, out=made("build", "tests", "direct"))


@pytest.fixture
def parameters(zone: str) -> Parameters:
    """The parameters of an endpoint that a key opens."""
    common = {
        **Target.here().parameters(),
        "BaseDomain": DOMAIN,
        "Route53HostedZoneId": zone,
        "ProviderCredentials": "OPENAI_API_KEY=sk-none",
    }
    return lambda key: {**common, "ApiKeys": key}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
    """The outputs of the step that ran last."""
    path = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))

    def read() -> dict[str, str]:
        found = dict(line.split("=", 1) for line in path.read_text().splitlines())
        found = {name: found[name] for name in ("changed", "version", "previous-version")}
        path.unlink()
        return found

    return read


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


def environ(**settings: str) -> dict[str, str]:
    return {**os.environ, "STACK_NAME": STACK, "AWS_REGION": REGION, **settings}


def run_deploy(template: Path, **parameters: str) -> str:
    named = {f"PARAMETER_{name}": value for name, value in parameters.items()}
    return deploy.run(environ(TEMPLATE=str(template), **named)).text


def function() -> AliasedFunction:
    found = find_function(Stack(STACK, REGION).describe())
    assert found
    return found


def numbers() -> list[str]:
    return [version.number for version in function().list_versions()]


def answer() -> str:
    """Which version callers reach."""
    now = function()
    called = client("lambda").invoke(FunctionName=now.function, Qualifier=now.alias)
    return str(called["Payload"].read().decode().strip('"'))


def pennyworth(*words: str, python: str | Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            python or warm.tools() / "python",
            "-m",
            "pennyworth.cli",
            "rollback",
            "--stack-name",
            STACK,
            *words,
        ],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=120,
    )


def test_a_version_that_fails_is_taken_back_and_both_stories_are_told(
    endpoint: Path, parameters: Parameters, outputs: Callable[[], dict[str, str]], tmp_path: Path
) -> None:
    junit = tmp_path / "smoke.xml"
    settings = environ(LITELLM_API_KEYS=FIRST, SKIP=LIGHT, WAIT_SECONDS="60", JUNIT=str(junit))
    run_deploy(endpoint, **parameters(FIRST))
    assert outputs() == {"changed": "true", "version": "1", "previous-version": ""}
    assert "it is up" in verify.run(settings | {"PREVIOUS_VERSION": ""})
    run_deploy(endpoint, **parameters(SECOND))  # which the callers' key does not open
    known = outputs()
    assert known == {"changed": "true", "version": "2", "previous-version": "1"}
    with pytest.raises(OperationFailed) as kept:
        verify.run(settings | {"PREVIOUS_VERSION": "1", "ROLLBACK": "false"})
    assert function().fetch_live_version() == "2"
    with pytest.raises(OperationFailed) as failed:
        verify.run(settings | {"PREVIOUS_VERSION": known["previous-version"]})
    told = failed.value
    # the results are the new version's, though the previous one was tried last
    assert (tmp_path / "outputs").read_text().splitlines()[-1] == "passed=false"
    assert "<failure" in junit.read_text()
    assert "version 1 serves again" in told.title
    assert "answers as it should" in told.message and "rollback --to 2" in told.message
    new, back = told.detail.split("Version 1, which serves now:")
    assert new.startswith("Version 2, new, taken back:") and "malformed:" in new
    assert kept.value.detail in new
    assert back.strip() == "all passed"
    assert function().fetch_live_version() == "1"
    # nothing has changed, and yet what is tried is what was deployed
    again = run_deploy(endpoint, **parameters(SECOND))
    assert again.startswith("Nothing had changed") and "version 2 again" in again
    assert outputs() == {"changed": "false", "version": "2", "previous-version": "1"}
    assert function().fetch_live_version() == "2"
    assert "it is up" in smoke_test.run(settings | {"LITELLM_API_KEYS": SECOND})


def test_where_the_previous_version_fails_too_that_is_told(endpoint: Path, parameters: Parameters) -> None:
    run_deploy(endpoint, **parameters(FIRST))
    run_deploy(endpoint, **parameters(SECOND))
    with pytest.raises(OperationFailed, match="perhaps no change of this deployment's") as failed:
        verify.run(environ(LITELLM_API_KEYS="sk-of-nobody-0123", SKIP=LIGHT, PREVIOUS_VERSION="1"))
    assert "nor does version 1" in failed.value.title
    assert failed.value.detail.count("malformed:") == 2
    assert function().fetch_live_version() == "1"


@pytest.mark.parametrize(
    ("previous", "said"), [("", "This was the first deployment"), ("1", "made no new version")]
)
def test_where_there_is_nothing_to_put_back_that_is_told(
    endpoint: Path, parameters: Parameters, previous: str, said: str
) -> None:
    run_deploy(endpoint, **parameters(FIRST))
    with pytest.raises(OperationFailed, match=said):
        verify.run(environ(LITELLM_API_KEYS=SECOND, SKIP=LIGHT, PREVIOUS_VERSION=previous))
    assert function().fetch_live_version() == "1"


def test_a_changed_value_makes_a_version_and_one_beside_the_function_none(tiny: Path) -> None:
    run_deploy(tiny, Setting="one")
    run_deploy(tiny, Setting="one", Rollout="otherwise")
    assert numbers() == ["1"]
    run_deploy(tiny, Setting="two")
    assert numbers() == ["1", "2"]
    run_deploy(tiny, Setting="two", ConfigHash="by-hand")
    assert numbers() == ["1", "2", "3"]
    assert answer() == "3"


def test_by_hand_one_goes_back_and_forth(tiny: Path) -> None:
    for setting in ("one", "two", "three"):
        run_deploy(tiny, Setting=setting)
    listed = pennyworth("--list", python=sys.executable)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["1", "2", "3"]
    assert listed.stdout.splitlines()[2].endswith("live, deployed last")
    back = pennyworth()
    assert back.returncode == 0, back.stderr
    assert back.stdout.startswith("Version 2 serves again, in the place of 3.")
    assert answer() == "2"
    assert "Version 1 serves again" in pennyworth("--to", "1").stdout
    none = pennyworth()
    assert none.returncode == 1 and "There is no previous version" in none.stderr
    assert "Version 3 serves again" in pennyworth("--to", "3").stdout
    assert answer() == "3"
    for wrong in ("7", "$LATEST", "live"):
        refused = pennyworth("--to", wrong)
        assert refused.returncode == 1
        assert f"There is no version {wrong}" in refused.stderr and "1, 2, 3" in refused.stderr
    assert answer() == "3"


def test_a_stack_without_versions_is_told_from_one_with_them() -> None:
    done = pennyworth()
    assert done.returncode == 1
    assert f"The stack {STACK} has no versions" in done.stderr and "Traceback" not in done.stderr


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = pennyworth("--list")
    assert done.returncode == 1
    assert "Unable to locate credentials" in done.stderr and "Traceback" not in done.stderr


def test_a_half_moved_alias_goes_back_whole_and_a_version_whose_tests_break_too(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run_deploy(tiny, Setting="one")
    run_deploy(tiny, Setting="two")
    now = function()
    moving = {"AdditionalVersionWeights": {"2": 0.1}}
    aliases = client("lambda")
    aliases.update_alias(FunctionName=now.function, Name="live", FunctionVersion="1", RoutingConfig=moving)
    rollback.run(environ(VERSION="1"))
    alias = aliases.get_alias(FunctionName=now.function, Name="live")
    assert alias["FunctionVersion"] == "1"
    assert not alias.get("RoutingConfig", {}).get("AdditionalVersionWeights")
    now.point_at("2")

    def broken(_: object) -> None:
        raise ValueError(f"Invalid header value b'Bearer {FIRST}\\n'")

    monkeypatch.setattr(verification.smoke_tests, "try_stack", broken)
    monkeypatch.setenv("LITELLM_API_KEYS", FIRST)
    with pytest.raises(OperationFailed) as failed:
        verify.run(environ(PREVIOUS_VERSION="1", WRITTEN_CREDENTIALS="NEW_KEY"))
    assert answer() == "1"
    assert failed.value.message.startswith("This deployment wrote NEW_KEY anew, which every version reads")
    assert "nor does version 1, which serves again" in failed.value.title
    assert "Version 2, new, taken back:\nAn unexpected error: ValueError" in failed.value.detail
    said = capfd.readouterr().out
    assert "in broken\n" in said and FIRST not in f"{said}{failed.value}"


def test_a_failed_update_leaves_callers_where_a_rollback_had_put_them(tiny: Path) -> None:
    run_deploy(tiny, Setting="one")
    run_deploy(tiny, Setting="two")
    rollback.run(environ(VERSION="1"))
    wrong = TINY.replace("Outputs:", f"{LATE}Outputs:")
    tiny.write_text(wrong)
    with pytest.raises(OperationFailed, match="Callers reach version 1, as before") as failed:
        run_deploy(tiny, Setting="three")
    assert failed.value.detail.startswith("Late (AWS::Lambda::Alias)")
    assert answer() == "1"


def test_old_versions_go_but_none_that_is_used(tiny: Path) -> None:
    for number in range(1, 7):
        run_deploy(tiny, Setting=str(number))
    now = function()
    client("lambda").create_alias(FunctionName=now.function, Name="kept", FunctionVersion="2")
    now.point_at("3")
    assert prune.run(environ(KEEP_VERSIONS="2")).startswith("Deleted: 1, 4.")
    assert numbers() == ["2", "3", "5", "6"]
    assert prune.run(environ(KEEP_VERSIONS="2")) == ""
    assert answer() == "3"
    with pytest.raises(OperationFailed, match="at least 1"):
        prune.run(environ(KEEP_VERSIONS="0"))


def test_two_deployments_at_once_end_well_one_after_the_other(tiny: Path, tmp_path: Path) -> None:
    run_deploy(tiny, Setting="before")
    reports: dict[str, str] = {}

    def run(setting: str) -> None:
        reports[setting] = deploy.run(
            environ(
                TEMPLATE=str(tiny), PARAMETER_Setting=setting, WAIT_MINUTES="3", RUNNER_TEMP=str(tmp_path)
            )
        ).text

    threads = [threading.Thread(target=run, args=(setting,)) for setting in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    assert set(reports) == {"left", "right"}
    assert all(report.startswith("Updated") for report in reports.values()), reports
    assert numbers() == ["1", "2", "3"]
    assert answer() == "3"
