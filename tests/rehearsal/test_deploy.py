"""The deployment workflow itself, run on this machine: what must pass, and what AWS must refuse."""

import json
import re
from typing import Any

import pytest
from tests import warm
from tests.rehearsal.account import client
from tests.rehearsal.conftest import FirstDeployment

from pennyworth.local.aws.server import ACCOUNT, LocalAws
from pennyworth.local.rehearsal.act import Job
from pennyworth.local.rehearsal.repository import DOMAIN, STACK, Rehearsal, Repository

CHECKOUT = "Check out the configuration"
KEPT_PACKAGES = "Keep the packages"
ALL_OF_IT = "Deploy the endpoint"
CREDENTIALS = "Assume the deploy role"
VALIDATION = "Validate template and configuration"
RENEWED = "Renew the credentials for AWS"
TRIAL = "Run smoke tests, roll back if they fail"
AT_THE_END = "Write the summary"
STEPS = [
    "Check the settings",
    CREDENTIALS,
    VALIDATION,
    "Build the function",
    "Allow PassRole for new roles",
    "Write the credentials",
    RENEWED,
    "Deploy the stack",
    f"{RENEWED} after the deployment",
    "Tighten PassRole",
    TRIAL,
    "Remove old credentials",
    "Delete old versions",
    AT_THE_END,
]
"""Those of actions/deploy, which is all of a deployment."""
STAGES = ("Original", "Processed")
OF_THE_ROLE = {
    "Allow PassRole for new roles",
    RENEWED,
    f"{RENEWED} after the deployment",
    "Tighten PassRole",
}


def went(job: Job) -> list[tuple[str, bool]]:
    """The deployment's steps that were not skipped, and how each ended."""
    return [(step.name, step.succeeded) for step in job.parts if step.inside == ALL_OF_IT]


def until(last: str, *, failed: bool = False) -> list[tuple[str, bool]]:
    """A deployment that ends after a step."""
    done = [(name, True) for name in STEPS[: STEPS.index(last) + 1]]
    return [*done[:-1], (last, not failed), (AT_THE_END, True)]


DONE = [(name, True) for name in STEPS]


def hidden(rehearsal: Rehearsal) -> list[str]:
    """The values that nobody may ever see, each by itself."""
    values = rehearsal.secrets["LITELLM_API_KEYS"].split(",")
    values += re.findall(r"=(.+)", rehearsal.secrets["PROVIDER_CREDENTIALS"])
    assert len(values) == 3
    return values


def shown(rehearsal: Rehearsal) -> str:
    """All that the log shows, what the job's summary is made of included."""
    entries = [json.loads(line) for line in rehearsal.log.read_text().splitlines() if line.startswith("{")]
    return "\n".join(entry["msg"] for entry in entries)


def deployed(aws: LocalAws, stack: str) -> str:
    """What CloudFormation and Lambda tell whoever may look: templates, parameters, settings."""
    cloudformation, functions = client(aws, "cloudformation"), client(aws, "lambda")
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    (name,) = [one["OutputValue"] for one in found["Outputs"] if one["OutputKey"] == "FunctionName"]
    settings = functions.get_function_configuration(FunctionName=name)
    assert "PENNYWORTH_PARAMETERS" in settings["Environment"]["Variables"]
    stages = [cloudformation.get_template(StackName=stack, TemplateStage=stage) for stage in STAGES]
    return repr([found, settings, stages])


def test_a_push_deploys_and_shows_no_key_even_unmasked(
    first_deployment: FirstDeployment, deployed_aws: LocalAws
) -> None:
    aws, rehearsal, job = deployed_aws, first_deployment.rehearsal, first_deployment.rehearsal.job
    assert job.succeeded, job.output
    assert [step.name for step in job.steps if step.succeeded] == [CHECKOUT, KEPT_PACKAGES, ALL_OF_IT]
    assert went(job) == DONE
    log = shown(rehearsal)
    assert f"api.{DOMAIN}" in log  # it is the unmasked one
    everything = "\n".join(first_deployment.arguments)
    role = client(aws, "cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["Outputs"]
    (function_role,) = (one["OutputValue"] for one in role if one["OutputKey"] == "FunctionRoleArn")
    assert passed(aws) == {"Resource": function_role, "Services": "lambda.amazonaws.com"}
    assert "-FunctionRole-*`" in job.summary and f"`{function_role}`" in job.summary
    assert "sam deploy" in everything and "pennyworth.pipeline.steps verify" in everything
    kept = deployed(aws, rehearsal.secrets["STACK_NAME"])
    for value in hidden(rehearsal):
        assert value not in log
        assert value not in job.summary
        assert value not in everything
        assert value not in kept


def passed(aws: LocalAws) -> dict[str, Any]:
    """What the deploy role may hand to which services."""
    iam = client(aws, "iam")
    arn = f"arn:aws:iam::{ACCOUNT}:policy/pennyworth-deployment"
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    (statement,) = (one for one in document["Statement"] if one["Action"] == "iam:PassRole")
    return {
        "Resource": statement["Resource"],
        "Services": statement["Condition"]["StringEquals"]["iam:PassedToService"],
    }


def test_a_users_static_keys_deploy_with_a_warning_and_are_shown_nowhere(
    judging_aws: LocalAws,
) -> None:
    with Repository(judging_aws, credentials="keys") as repository:
        repository.python = warm.step_python()
        rehearsal = repository.run()
    job = rehearsal.job
    assert job.succeeded, job.output
    assert went(job) == [step for step in DONE if step[0] not in OF_THE_ROLE]
    assert any("keys that do not expire" in warning for warning in job.warnings)
    assert "### ✅ Static AWS keys" in job.summary and "`AWS_DEPLOY_ROLE_ARN`" in job.summary
    log = shown(rehearsal)
    assert rehearsal.secrets["AWS_SECRET_ACCESS_KEY"] not in log


def test_a_dispatch_deploys_with_the_newer_subject_and_masks_every_secret(
    judging_aws: LocalAws,
) -> None:
    # with a user's keys, too: the role comes first
    with Repository(judging_aws, immutable=True, credentials="both") as repository:
        repository.python = warm.step_python()
        rehearsal = repository.run(event="workflow_dispatch")
    assert "@" in rehearsal.presented
    assert rehearsal.job.succeeded, rehearsal.job.output
    assert went(rehearsal.job) == DONE
    assert not any("keys that do not expire" in warning for warning in rehearsal.job.warnings)
    log = shown(rehearsal)
    for name, value in rehearsal.secrets.items():
        assert value not in log, name
    summary = rehearsal.summary
    headings = re.findall(r"^### (.*) \((?:\d+ min )?[\d.]+ s\)$", summary, re.MULTILINE)
    assert headings == [
        "✅ Smoke tests",
        "✅ Deployment",
        "✅ Template and configuration",
        "✅ Package",
        "✅ PassRole",
        "✅ Credentials",
        "✅ PassRole",
    ]
    assert re.match(
        r"## ✅ Deployed: version 1 serves\n\n<https://api\.\*{3}/v1> · `\*{3}` in \*{3} · [\d.]", summary
    )
    assert re.search(r"^\| ✅ Deployment \| [\d.]+ s \| █", summary, re.MULTILINE)  # how long each step took
    assert "| **1,000 requests** | **$" in summary
    assert "Created: " in summary
    assert "| created | Function | AWS::Lambda::Function |" in summary
    assert "| Base URL | <https://api.***/v1> |" in summary
    assert "it streams its answer" in summary


@pytest.mark.parametrize(
    "other",
    [{"branch": "feature"}, {"repository": "example/other"}, {"repository": "other/pennyworth"}],
    ids=["branch", "repository", "owner"],
)
def test_a_token_for_anything_else_is_refused_at_the_credentials(
    prepared_repository: Repository, other: dict[str, str]
) -> None:
    rehearsal = prepared_repository.run(**other)
    assert not rehearsal.job.succeeded
    assert rehearsal.presented != rehearsal.trusted
    assert went(rehearsal.job) == until(CREDENTIALS, failed=True)
    assert any(
        "Not authorized to perform sts:AssumeRoleWithWebIdentity" in error for error in rehearsal.job.errors
    )
    assert f"must name this run's subject: `{rehearsal.presented}`" in rehearsal.summary
    assert (
        f"| `sub` | `{rehearsal.presented}` | names it: `--branch` or `--environment` |" in rehearsal.summary
    )
    assert "| `job_workflow_ref` | `" in rehearsal.summary


def test_a_bad_configuration_fails_the_job_at_its_file_and_line(prepared_repository: Repository) -> None:
    config = """\
model_list:
  - model_name: good
    litellm_params: {model: openai/x, api_key: os.environ/NOBODY_SET_THIS}
  - model_name: bad
    litellm_params: {model: opnai/x}
"""
    prepared_repository.write("config.yaml", config)
    rehearsal = prepared_repository.run()
    assert not rehearsal.job.succeeded
    assert went(rehearsal.job) == until(VALIDATION, failed=True)
    entries = [json.loads(line) for line in rehearsal.log.read_text().splitlines() if line.startswith("{")]
    commands = [entry["raw"] for entry in entries if entry.get("command") in ("error", "warning")]
    assert any(
        re.match(r"::error title=[^:]*,file=config\.yaml,line=5::LiteLLM knows no provider 'opnai'", command)
        for command in commands
    )
    assert any(
        re.match(r"::warning title=[^:]*,file=config\.yaml,line=3::NOBODY_SET_THIS is not set", command)
        for command in commands
    )
    assert (
        "line 5, model_list[1].litellm_params.model: LiteLLM knows no provider 'opnai'" in rehearsal.summary
    )


def test_a_dry_run_checks_and_builds_and_changes_nothing(
    prepared_aws: LocalAws, prepared_repository: Repository
) -> None:
    job = prepared_repository.run(event="workflow_dispatch", inputs={"dry-run": "true"}).job
    assert job.succeeded, job.output
    assert went(job) == until("Build the function")
    stacks = client(prepared_aws, "cloudformation").list_stacks()["StackSummaries"]
    assert STACK not in {stack["StackName"] for stack in stacks}


def test_a_smoke_level_that_there_is_not_fails_before_anything_is_done(
    prepared_repository: Repository,
) -> None:
    job = prepared_repository.run(event="workflow_dispatch", inputs={"smoke": "some"}).job
    assert not job.succeeded
    assert went(job) == until(STEPS[0], failed=True)
    assert any("smoke is 'some', but must be one of full, light, none" in error for error in job.errors)


def test_secrets_that_are_missing_are_named(prepared_repository: Repository) -> None:
    for name in ("STACK_NAME", "LITELLM_API_KEYS"):
        del prepared_repository.secrets[name]
    rehearsal = prepared_repository.run()
    assert not rehearsal.job.succeeded
    assert went(rehearsal.job) == until(STEPS[0], failed=True)
    log = shown(rehearsal)
    for name in ("STACK_NAME", "LITELLM_API_KEYS"):
        assert f"The secret {name} is missing" in log
    assert "The secret AWS_REGION is missing" not in log
