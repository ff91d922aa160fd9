"""The health check's workflow itself, run on this machine: on its schedule, by hand, and called by another one."""

import json
import re
from collections.abc import Iterator

import pytest
from tests.rehearsal.account import client
from tests.rehearsal.conftest import DEPLOYED, FirstDeployment, like

from pennyworth.checks.health import issue
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.rehearsal.repository import CALLED, REPOSITORY, STACK, Rehearsal, Repository

WORKFLOW = "health-check.yml"
STEPS = [
    "Check the settings",
    "Check out the repository",
    "Keep the packages",
    "Assume the read-only role",
    "Restore the history",
    "Run health checks",
    "Save the history",
]


@pytest.fixture(scope="module")
def aws(shared_judging_aws: LocalAws, first_deployment: FirstDeployment) -> LocalAws:
    del first_deployment  # has kept the moment
    shared_judging_aws.restore(DEPLOYED)
    return shared_judging_aws


@pytest.fixture(scope="module")
def repository(aws: LocalAws, origin: Repository) -> Iterator[Repository]:
    """A repository whose endpoint is deployed."""
    with like(origin, aws) as repository:
        yield repository


def set_alarm(aws: LocalAws, state: str) -> None:
    client(aws, "cloudwatch").set_alarm_state(
        AlarmName=f"{STACK}-errors", StateValue=state, StateReason=f"It is {state}."
    )


def passed_over(rehearsal: Rehearsal) -> list[str]:
    return [step.name for step in rehearsal.job.steps if step.succeeded]


def public(repository: Repository) -> str:
    """Everything that strangers can read of the issues."""
    issues = repository.github.issues
    return json.dumps(
        [[one["title"], one["body"], repository.github.bodies(number)] for number, one in issues.items()]
    )


def test_from_well_to_unhealthy_and_back_with_one_issue(aws: LocalAws, repository: Repository) -> None:
    set_alarm(aws, "OK")
    well = repository.run(WORKFLOW, event="schedule")
    assert well.job.succeeded, well.job.output
    assert passed_over(well) == STEPS
    assert "### ✅ Health check" in well.summary and "**100 % available**" in well.summary
    # the view role can see everything; only TLS is not spoken here
    assert re.findall(r"^\| (?!✅|---)(\S+) \| ([\w ]+) \|", well.summary, re.MULTILINE) == [
        ("❔", "served certificate")
    ]
    assert repository.github.issues == {}
    for name in ("LITELLM_API_KEYS", "STACK_NAME", "AWS_REGION", "BASE_DOMAIN"):
        assert well.secrets[name] not in well.shown

    set_alarm(aws, "ALARM")
    unwell = repository.run(WORKFLOW, event="schedule")
    assert not unwell.job.succeeded
    assert [step.name for step in unwell.job.steps if not step.succeeded] == ["Run health checks"]
    assert passed_over(unwell)[-1] == "Save the history"
    assert "### ❌ Health check" in unwell.summary and "***-errors is in ALARM" in unwell.summary
    assert "❌ **The endpoint is unhealthy.** Opened issue #1." in unwell.summary
    assert "2 of 2 runs found it answering" in unwell.summary  # the history went on
    (found,) = repository.github.issues.values()
    assert found["state"] == "open" and [one["name"] for one in found["labels"]] == [issue.LABEL]

    again = repository.run(WORKFLOW, event="workflow_dispatch", inputs={"fail": "false"})
    assert again.job.succeeded, again.job.output
    assert len(repository.github.issues) == 1 and repository.github.bodies(found["number"]) == []

    set_alarm(aws, "OK")
    recovered = repository.run(WORKFLOW, event="schedule")
    assert recovered.job.succeeded, recovered.job.output
    assert repository.github.issues[found["number"]]["state"] == "closed"
    assert repository.github.bodies(found["number"])[0].startswith("Healthy again after ")
    assert "4 of 4 runs found it answering" in recovered.summary

    said = public(repository)
    for name in ("STACK_NAME", "AWS_REGION", "BASE_DOMAIN", "ROUTE53_HOSTED_ZONE_ID", "LITELLM_API_KEYS"):
        assert recovered.secrets[name] not in said, name


def test_a_dispatch_may_keep_no_issue_and_not_fail(aws: LocalAws, repository: Repository) -> None:
    before = len(repository.github.issues)
    set_alarm(aws, "ALARM")
    quiet = repository.run(WORKFLOW, event="workflow_dispatch", inputs={"issue": "false", "fail": "false"})
    set_alarm(aws, "OK")
    assert quiet.job.succeeded, quiet.job.output
    assert "❌" in quiet.summary
    assert any("unhealthy" in warning or "in the job's summary" in warning for warning in quiet.job.warnings)
    assert len(repository.github.issues) == before


def test_an_endpoint_that_does_not_answer_as_it_should_is_unhealthy(repository: Repository) -> None:
    right = repository.secrets["LITELLM_API_KEYS"]
    repository.secrets["LITELLM_API_KEYS"] = "sk-of-another-endpoint"
    try:
        unwell = repository.run(WORKFLOW, event="workflow_dispatch", inputs={"issue": "false"})
    finally:
        repository.secrets["LITELLM_API_KEYS"] = right
    assert not unwell.job.succeeded
    assert "| ❌ | endpoint | models: " in unwell.summary
    assert "sk-of-another-endpoint" not in unwell.shown


def test_before_there_is_a_role_a_schedule_does_nothing_and_a_person_is_told(repository: Repository) -> None:
    role = repository.secrets.pop("AWS_VIEW_ROLE_ARN")
    try:
        scheduled = repository.run(WORKFLOW, event="schedule")
        dispatched = repository.run(WORKFLOW, event="workflow_dispatch")
    finally:
        repository.secrets["AWS_VIEW_ROLE_ARN"] = role
    assert scheduled.job.succeeded and passed_over(scheduled) == STEPS[:1]
    assert not dispatched.job.succeeded
    assert "The secret AWS_VIEW_ROLE_ARN is missing" in dispatched.shown


def test_another_repository_calls_it(aws: LocalAws, repository: Repository) -> None:
    called, _, ref = CALLED.partition("@")
    caller = f"""
name: Health check
on:
  schedule:
    - cron: "41 */4 * * *"
permissions: {{}}
jobs:
  health:
    permissions:
      contents: read
      id-token: write
      issues: write
    uses: {called}/.github/workflows/{WORKFLOW}@{ref}
    with:
      skip: drift
      certificate-days: 10
    secrets:
      AWS_VIEW_ROLE_ARN: ${{{{ secrets.AWS_VIEW_ROLE_ARN }}}}
      AWS_REGION: ${{{{ secrets.AWS_REGION }}}}
      STACK_NAME: ${{{{ secrets.STACK_NAME }}}}
      LITELLM_API_KEYS: ${{{{ secrets.LITELLM_API_KEYS }}}}
"""
    with Repository(aws, called=True, ready=False) as other:
        other.write(f".github/workflows/{WORKFLOW}", caller)
        other.secrets = repository.secrets
        set_alarm(aws, "ALARM")
        unwell = other.run(WORKFLOW, event="schedule")
        assert not unwell.job.succeeded
        assert "***-errors" in unwell.summary
        (found,) = other.github.issues.values()
        assert found["repository_url"].endswith(REPOSITORY) and "***-errors" in found["body"]
        set_alarm(aws, "OK")
        well = other.run(WORKFLOW, event="schedule")
        assert well.job.succeeded, well.job.output
        assert other.github.issues[found["number"]]["state"] == "closed"
        assert "| drift |" not in well.summary
