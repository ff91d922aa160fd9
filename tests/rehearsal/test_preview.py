"""The preview of pull requests, run on this machine by the workflow itself: what it says, and that nothing changes."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.rehearsal.account import client
from tests.rehearsal.conftest import DEPLOYED, PREPARED, FirstDeployment, like

from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import ACCOUNT, LocalAws
from pennyworth.local.rehearsal.issuer import PullRequest
from pennyworth.local.rehearsal.repository import CALLED, DOMAIN, REGION, STACK, Rehearsal, Repository

STEPS = [
    "Check the settings",
    "Check out the configuration",
    "Keep the packages",
    "Validate template and configuration",
    "Build the function",
    "Assume the read-only role",
    "Preview the deployment",
]
NUMBER = 7


@pytest.fixture(scope="module")
def aws(shared_judging_aws: LocalAws, origin: Repository, first_deployment: FirstDeployment) -> LocalAws:
    del origin, first_deployment  # have kept the moments
    shared_judging_aws.restore(PREPARED)
    return shared_judging_aws


@pytest.fixture(scope="module")
def repository(aws: LocalAws, origin: Repository) -> Iterator[Repository]:
    """A repository that has deployed nothing."""
    with like(origin, aws) as repository:
        yield repository


def previewed(repository: Repository, **more: Any) -> Rehearsal:
    found = repository.run("preview.yml", event="pull_request", pull_request=PullRequest(NUMBER), **more)
    assert found.job.succeeded, found.job.output
    return found


def done(rehearsal: Rehearsal) -> list[str]:
    return [step.name for step in rehearsal.job.steps if step.succeeded]


def comment(repository: Repository) -> str:
    """The one comment on the pull request, in which nothing is secret."""
    (body,) = repository.github.bodies(NUMBER)
    hidden = [*filter(None, repository.secrets.values()), DOMAIN, STACK, REGION, ACCOUNT]
    for value in hidden:
        assert value not in body
    return body


def untouched(aws: LocalAws) -> Any:
    """What a preview must leave as it is: the stack's state, and no change set of ours beside it."""
    cloudformation = client(aws, "cloudformation")
    sets = cloudformation.list_change_sets(StackName=STACK)["Summaries"]
    assert not [one for one in sets if one["ChangeSetName"].startswith("pennyworth-preview")]
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    return stack


@pytest.mark.timeout(900)  # four runs of a workflow, after a deployment
def test_a_pull_requests_life(aws: LocalAws, repository: Repository) -> None:
    first = previewed(repository)
    assert done(first) == STEPS
    assert "Its first deployment would create" in comment(repository)
    with pytest.raises(Exception, match="does not exist"):
        untouched(aws)

    aws.restore(DEPLOYED)
    before = untouched(aws)

    previewed(repository)
    assert "✅ **Nothing would change**" in comment(repository)

    repository.parameters |= {"MemorySize": "512", "BedrockAccess": "yes"}
    changed = previewed(repository)
    said = comment(repository)
    assert "| `MemorySize` | `1024` | `512` |" in said
    assert re.search(r"🔓 `FunctionRole` .* may now call `bedrock:InvokeModel`", said)
    assert re.search(r"1,000 requests: \$0\.\d+ → \*\*\$0\.\d+\*\*", said)
    assert "| 🟡&nbsp;changed | `Function` |" in said
    assert "`MemorySize` | `1024` | `512`" in changed.job.summary

    repository.parameters = {name: _value(before, name) for name in ("PythonRuntime", "Architecture")}
    config = json.loads((repository.tree / "config.yaml").read_text())
    config["model_list"] += [{**config["model_list"][0], "model_name": "another"}]
    repository.write("config.yaml", json.dumps(config))
    previewed(repository)
    said = comment(repository)
    # the description names the package, too
    assert re.search(
        r"\| 🟡&nbsp;changed \| `Function` \| AWS::Lambda::Function \| [^|]*its package[^|]*\|", said
    )
    assert "#### Settings" not in said
    assert untouched(aws) == before


def _value(stack: Any, name: str) -> str:
    (found,) = (one["ParameterValue"] for one in stack["Parameters"] if one["ParameterKey"] == name)
    return str(found)


def test_a_forks_is_passed_over_with_a_notice(repository: Repository) -> None:
    asked = PullRequest(8, fork="stranger/endpoint")
    found = repository.run("preview.yml", event="pull_request", pull_request=asked)
    assert found.job.succeeded, found.job.output
    assert done(found) == ["Explain why"]
    assert repository.github.bodies(8) == []


def test_without_the_view_role_there_is_none_and_nothing_fails(repository: Repository) -> None:
    role = repository.secrets.pop("AWS_VIEW_ROLE_ARN")
    try:
        asked = PullRequest(9)
        found = repository.run("preview.yml", event="pull_request", pull_request=asked)
    finally:
        repository.secrets["AWS_VIEW_ROLE_ARN"] = role
    assert found.job.succeeded, found.job.output
    assert done(found) == STEPS[:1]
    assert repository.github.bodies(9) == []


def test_the_deploy_role_takes_no_pull_request(repository: Repository) -> None:
    view = repository.secrets["AWS_VIEW_ROLE_ARN"]
    repository.secrets["AWS_VIEW_ROLE_ARN"] = repository.secrets["AWS_DEPLOY_ROLE_ARN"]
    try:
        asked = PullRequest(10)
        found = repository.run("preview.yml", event="pull_request", pull_request=asked)
    finally:
        repository.secrets["AWS_VIEW_ROLE_ARN"] = view
    assert not found.job.succeeded
    assert "Assume the read-only role" not in done(found)
    assert repository.github.bodies(10) == []
    assert any(":pull_request`" in error for error in found.job.errors)  # what the role would have to trust


def test_another_repository_calls_it_as_its_page_says(prepared_aws: LocalAws, origin: Repository) -> None:
    with like(origin, prepared_aws, called=True) as repository:
        page = (ROOT / ".github/workflows/preview.md").read_text()
        (usage,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        called, _, ref = CALLED.partition("@")
        caller = re.sub(r"OWNER/REPOSITORY(\S+)@\S+", rf"{called}\g<1>@{ref}", usage)
        repository.write(".github/workflows/preview.yml", caller)
        found = previewed(repository)
        assert "Preview the deployment" in done(found)
        assert "Its first deployment would create" in comment(repository)
