"""A deployment's first step: the settings, and above all the credentials, before anything is done with them."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from tests import warm

from pennyworth.github.job_report import Report
from pennyworth.host.environments import clean_environ
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import ROOT
from pennyworth.pipeline.steps import credentials, runner, settings

CANARY = "canary-0123456789"
GOOD = {
    "AWS_DEPLOY_ROLE_ARN": "arn:aws:iam::123456789012:role/deploy",
    "AWS_REGION": "us-west-2",
    "STACK_NAME": "endpoint",
    "LITELLM_API_KEYS": f'"{CANARY}-one"\n{CANARY}-two',
    "PROVIDER_CREDENTIALS": f"A={CANARY}-three\nB='{CANARY}-four\n{CANARY}-five'\n",
}


def refused(capfd: pytest.CaptureFixture[str], **given: str) -> list[str]:
    """What the step says of settings that are wrong, which shows no secret."""
    with pytest.raises(OperationFailed) as failed:
        settings.run({**GOOD, **given})
    said = f"{failed.value.title}\n{failed.value}"
    shown = [line for line in capfd.readouterr().out.splitlines() if not line.startswith("::add-mask::")]
    assert CANARY not in "\n".join([said, *shown])
    assert "Settings → Secrets and variables" in failed.value.message
    return failed.value.detail.splitlines()


def test_good_settings_pass_and_each_secret_is_masked(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert settings.run(GOOD) == Report(place="`endpoint` in us-west-2")
    masked = re.findall(r"^::add-mask::(.+)$", capfd.readouterr().out, re.MULTILINE)
    assert masked == [f"{CANARY}-{word}" for word in ("one", "two", "three", "four", "five")]
    settings.run({**GOOD, "PROVIDER_CREDENTIALS": ""})


@pytest.mark.parametrize("name", ["aws", "aws-llm", "ssm-x", "AWS-LLM"])
def test_a_name_that_the_parameter_store_refuses_is_told_first(
    capfd: pytest.CaptureFixture[str], name: str
) -> None:
    (line,) = refused(capfd, STACK_NAME=name)
    assert line.startswith("STACK_NAME begins with aws or ssm. ")


def test_everything_that_is_wrong_is_told_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    assert refused(
        capfd,
        STACK_NAME="",
        SMOKE="some",
        LITELLM_API_KEYS=f"{CANARY} {CANARY},sk-caller-b,sk-caller-b,short",
        PROVIDER_CREDENTIALS=f"A=1\n{CANARY}\nAWS_SESSION_TOKEN={CANARY}\n{CANARY}=1\nA={CANARY}",
    ) == [
        "The secret STACK_NAME is missing",
        "LITELLM_API_KEYS, key 1: white space inside the key. Put commas between keys",
        "LITELLM_API_KEYS, key 3: the same as key 2",
        "LITELLM_API_KEYS, key 4: it has fewer than 8 characters, so it is quickly guessed. Use at least 16",
        "PROVIDER_CREDENTIALS, line 2: expected NAME=value",
        "PROVIDER_CREDENTIALS, line 3: AWS_SESSION_TOKEN is reserved: the function has its own",
        "PROVIDER_CREDENTIALS, line 4: the name must have only letters, digits and _, and no digit first",
        "PROVIDER_CREDENTIALS, line 5: the name is already in line 1",
        "smoke is 'some', but must be one of full, light, none",
    ]


WRONG = {
    "AWS_DEPLOY_ROLE_ARN": (
        "pennyworth-github-deploy-role",
        "AWS_DEPLOY_ROLE_ARN must be a role's ARN, arn:aws:iam::ACCOUNT:role/NAME",
    ),
    "AWS_REGION": ("Oregon", "AWS_REGION must be the name of a region, such as us-west-2"),
    "STACK_NAME": ("my_stack", "STACK_NAME must be letters, digits and hyphens, with a letter first"),
    "WAIT_MINUTES": ("61", "wait-minutes is longer than the credentials last, 60 min"),
    "SMOKE_WAIT_SECONDS": ("soon", "smoke-wait-seconds is 'soon'. Set it to a number of 0 or more."),
    "LITELLM_LANE": ("maybe", "litellm-lane is 'maybe', but must be one of auto, yes, no"),
    "REQUIRE_DOMAIN": ("yes", "require-domain is 'yes', but must be one of true, false"),
    "ROLE_DURATION_SECONDS": (
        "60",
        "role-duration-seconds is 60, but AWS gives out credentials for 900 to 43200",
    ),
    "PARAMETER_BaseDomain": (
        "https://example.com",
        'parameters: BaseDomain must be a domain name in lower case without "api.", such as example.com',
    ),
    "PARAMETER_Route53HostedZoneId": (
        "/hostedzone/Z0123",
        "parameters: Route53HostedZoneId must be a hosted zone's id, which begins with Z (not its name, and without"
        " /hostedzone/)",
    ),
    "PARAMETERS": (
        "MemorySize=512MB",
        "parameters: MemorySize must be a number, at least 128 and at most 10240",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_setting_that_would_fail_later_fails_first(capfd: pytest.CaptureFixture[str], name: str) -> None:
    value, said = WRONG[name]
    assert refused(capfd, **{name: value}) == [said]


@pytest.mark.parametrize(
    ("rollout", "seconds", "needed"),
    [
        ("all-at-once", "", 0),
        ("canary-10-percent-30-minutes", "", 0),
        ("canary-10-percent-30-minutes", "900", 2400),
        ("linear-10-percent-every-1-minute", "", 0),
        ("linear-10-percent-every-10-minutes", "", 6000),
        ("linear-10-percent-every-10-minutes", "6000", 0),
    ],
)
def test_a_rollout_that_outlasts_the_credentials_is_refused(
    capfd: pytest.CaptureFixture[str], rollout: str, seconds: str, needed: int
) -> None:
    given = {"PARAMETERS": f"Rollout={rollout}", "ROLE_DURATION_SECONDS": seconds}
    settings.run({**GOOD, **given, "STATIC_KEYS": "true"})  # they do not expire
    if not needed:
        settings.run({**GOOD, **given})
        return
    (line,) = refused(capfd, **given)
    assert f"--max-session-seconds {needed}`, then set role-duration-seconds to {needed}. Or" in line


def test_white_space_around_a_setting_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}
    monkeypatch.setattr(runner, "_enter_tools", lambda *_: seen.update(os.environ))
    for name, value in GOOD.items():
        monkeypatch.setenv(name, f" {value}\r\n")
    monkeypatch.setenv("PARAMETER_BaseDomain", "example.com\n")
    monkeypatch.setenv("PARAMETER_Route53HostedZoneId", "Z0123456789ABC\n")
    assert runner.run_step("pennyworth.pipeline.steps", "settings") == 0
    assert seen["AWS_REGION"] == "us-west-2"  # as boto3 reads it by itself
    assert seen["PARAMETER_BaseDomain"] == "example.com"


@pytest.mark.parametrize(
    ("keys", "said"),
    [(" , ", "LITELLM_API_KEYS: contains no key"), (" ", "The secret LITELLM_API_KEYS is missing")],
)
def test_no_key_is_too_few(capfd: pytest.CaptureFixture[str], keys: str, said: str) -> None:
    assert refused(capfd, LITELLM_API_KEYS=keys) == [said]


def test_both_steps_refuse_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    broken = {"LITELLM_API_KEYS": f"{CANARY} b", "PROVIDER_CREDENTIALS": f"{{\n{CANARY}: 1\n}}"}
    first = refused(capfd, **broken)
    with pytest.raises(OperationFailed) as failed:
        credentials.run({**GOOD, **broken})
    assert failed.value.detail.splitlines() == first
    assert first[-1] == "PROVIDER_CREDENTIALS, lines 1 to 3: expected NAME=value"
    assert CANARY not in str(failed.value)


def test_the_first_step_is_given_the_credentials() -> None:
    action = yaml.safe_load((ROOT / "actions" / "deploy" / "action.yml").read_text())
    first = action["runs"]["steps"][0]
    assert first["env"]["PROVIDER_CREDENTIALS"] == "${{ inputs.provider-credentials }}"
    assert first["env"]["LITELLM_API_KEYS"] == "${{ inputs.api-keys }}"


def test_a_validation_alone_refuses_them_too(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("model_list: [{model_name: m, litellm_params: {model: openai/m}}]")
    environ = {
        "AWS_REGION": "us-west-2",
        "CONFIG": str(config),
        "PROVIDER_CREDENTIALS": f"OPENAI_API_KEY={CANARY}\n{CANARY}\n",
    }
    done = subprocess.run(
        [warm.tools() / "python", "-m", "pennyworth.pipeline.steps", "validate"],
        env={**clean_environ(), **environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "\n::error title=PROVIDER_CREDENTIALS%2C line 2::expected NAME=value\n" in done.stdout
    assert "config.yaml can't be deployed" in done.stdout
    assert CANARY not in done.stdout + done.stderr
