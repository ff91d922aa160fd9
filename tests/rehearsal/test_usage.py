"""The examples on the pages of actions and workflows, run as they stand by a second repository."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.rehearsal.conftest import like
from tests.usage import in_a_workflow, steps_in_a_workflow, steps_of, usage, usages

from pennyworth.local.aws.server import LocalAws
from pennyworth.local.rehearsal.repository import CALLED, CALLER, Repository
from pennyworth.pipeline.build import Target

BY_HAND = [
    "packages",
    "aws-auth",
    "validate",
    "build",
    "tighten-passrole",
    "credentials",
    "sam-deploy",
    "tighten-passrole",
    "smoke-test",
    "rollback",
]
"""A deployment put together of single actions, and taken back. PassRole's example is two steps: one for before, one for
after."""
THEIR_OWN = {
    "preview": "test_preview.py",
    "health-check": "test_health_check.py",
    "change-set": "test_approval.py",
}
"""What belongs to a pull request, a schedule or an approval, and is run by tests of its own."""


AFTERWARDS = """\
  tell:
    needs: deploy
    runs-on: ubuntu-latest
    steps:
      - env:
          URL: ${{ needs.deploy.outputs.url }}
        run: echo "It is at $URL"
"""


@pytest.fixture
def repository(prepared_aws: LocalAws, origin: Repository) -> Iterator[Repository]:
    with like(origin, prepared_aws, called=True) as repository:
        yield repository


def workflow_of(steps: list[dict[str, Any]]) -> str:
    """A workflow with an example's steps, but built for this machine: the functions of the local AWS run on it."""
    target = Target.here()
    here = {"parameters": "\n".join(f"{name}={value}" for name, value in target.parameters().items())}
    for step in steps:
        if re.search(r"/(build|sam-deploy|deploy)@", step["uses"]):
            step.setdefault("with", {}).update(here)
    return steps_in_a_workflow(yaml.safe_dump(steps, sort_keys=False), CALLED)


def taken(steps: Iterator[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """An example's steps, or of those of PassRole the next one."""
    return [next(steps)] if name == "tighten-passrole" else list(steps)


def test_every_example_is_run_somewhere() -> None:
    assert {one.name for one in usages()} == {*BY_HAND, "deploy", *THEIR_OWN}


def test_the_examples_deploy_go_back_and_deploy_again(repository: Repository) -> None:
    # the workflow's example, in the place of what `pennyworth init` wrote; region and stack name are no secrets
    workflow = next(one for one in usages() if one.page.name == "deploy.md")
    secrets = dict(repository.secrets)
    region = repository.secrets.pop("AWS_REGION")
    repository.variables["STACK_NAME"] = repository.secrets.pop("STACK_NAME")
    text = in_a_workflow(workflow, CALLED)
    repository.write(
        CALLER, text.replace("    with:\n", f"    with:\n      aws-region: {region}\n") + AFTERWARDS
    )
    called = repository.run()
    assert called.job.succeeded, called.job.output
    assert "Created: " in called.summary
    (url,) = (line for line in called.job.output if line.startswith("It is at "))
    assert re.fullmatch(rf"It is at https://\w+\.execute-api\.{region}\.amazonaws\.com/v1", url)
    repository.secrets, repository.variables = secrets, {}

    # every action by itself, with another configuration: a second version
    config = (repository.tree / "config.yaml").read_text()
    repository.write("config.yaml", config.replace('"model_list"', '"litellm_settings": {}, "model_list"'))
    parts = {name: iter(steps_of(usage(name).text)) for name in dict.fromkeys(BY_HAND)}
    by_hand = [step for name in BY_HAND for step in taken(parts[name], name)]
    repository.write(".github/workflows/by-hand.yml", workflow_of(by_hand))
    single = repository.run("by-hand.yml", event="workflow_dispatch")
    assert single.job.succeeded, single.job.output
    assert "Version 1 serves again, in the place of 2." in single.summary

    # all of it in one step: callers reach the second version again
    repository.write(".github/workflows/all.yml", workflow_of(steps_of(usage("deploy").text)))
    whole = repository.run("all.yml", event="workflow_dispatch")
    assert whole.job.succeeded, whole.job.output
    assert "version 2 again, which a rollback had taken back" in whole.summary
    for rehearsal in (called, single, whole):
        for name, value in rehearsal.secrets.items():
            assert value not in rehearsal.shown, name
