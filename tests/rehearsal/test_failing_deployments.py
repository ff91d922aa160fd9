"""Deployments that must fail, by the workflow itself: what is told, what is put back, and how the next one goes on."""

import json
import re
from typing import Any

from tests.rehearsal.account import client
from tests.rehearsal.test_deploy import AT_THE_END, DONE, TRIAL, VALIDATION, until, went

from pennyworth.host.places import ROOT
from pennyworth.local.aws.server import LocalAws
from pennyworth.local.rehearsal.repository import STACK, Rehearsal, Repository

TEMPLATE = (ROOT / "template.yaml").read_text()
NOWHERE = "http://127.0.0.1:9/v1"  # discard: nothing listens there
NEW_KEY = "NEW_UPSTREAM_KEY"
TWICE = """
  Twice:
    Type: AWS::Lambda::Alias
    DependsOn: Api
    Properties: {FunctionName: !Ref Function, FunctionVersion: $LATEST, Name: live}
"""


def stack(aws: LocalAws) -> dict[str, Any]:
    found: dict[str, Any] = client(aws, "cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    return found


def live(aws: LocalAws) -> str:
    """The version that callers reach."""
    (name,) = (one["OutputValue"] for one in stack(aws)["Outputs"] if one["OutputKey"] == "FunctionName")
    return str(client(aws, "lambda").get_alias(FunctionName=name, Name="live")["FunctionVersion"])


def broken(config: str) -> str:
    """A configuration that passes every check, names another key, and whose provider does not answer."""
    document = json.loads(config)
    document["model_list"][0]["litellm_params"] |= {"api_base": NOWHERE, "api_key": f"os.environ/{NEW_KEY}"}
    return json.dumps(document)


def stored(aws: LocalAws) -> set[str]:
    """The names of the credentials that every version reads."""
    path = f"/{STACK}/credentials"
    found = client(aws, "ssm").get_parameters_by_path(Path=path, Recursive=True)["Parameters"]
    return {one["Name"].removeprefix(f"{path}/") for one in found}


def nothing_secret_in(rehearsal: Rehearsal) -> None:
    for name, value in rehearsal.secrets.items():
        for part in re.findall(r"sk-[\w-]+", value) or [value]:
            assert part not in rehearsal.shown, name


def test_a_version_that_fails_is_taken_back_and_the_next_goes_forward(
    deployed_aws: LocalAws, deployed_repository: Repository
) -> None:
    aws, repository = deployed_aws, deployed_repository
    good = (repository.tree / "config.yaml").read_text()
    repository.write("config.yaml", broken(good))
    before, credentials = stored(aws), repository.secrets["PROVIDER_CREDENTIALS"]
    repository.secrets["PROVIDER_CREDENTIALS"] = f"{NEW_KEY}=sk-new-upstream-0123456789"
    failed = repository.run()
    assert not failed.job.succeeded
    assert went(failed.job) == until(TRIAL, failed=True)
    told = [error for error in failed.job.errors if "serves again" in error or "failed" in error.lower()]
    assert len(told) == 1 == len(failed.job.errors), failed.job.errors
    (section,) = re.findall(r"^### ❌ Smoke tests.*?(?=^### )", failed.summary, re.MULTILINE | re.DOTALL)
    assert "Version 2 does not answer as it should: version 1 serves again" in section
    assert re.search(r"Version 2, new, taken back:\n(.*\n)*chat: HTTP 50", section)
    assert "Version 1, which serves now: all passed" in section  # because its key is still there
    assert stored(aws) == before | {NEW_KEY}
    assert live(aws) == "1"
    nothing_secret_in(failed)

    # by hand: forward to the one that fails, which is told, and back again
    forward = repository.run(event="workflow_dispatch", inputs={"roll-back-to": "2"})
    assert not forward.job.succeeded
    assert "Version 2 serves again, and does not answer as it should" in forward.summary
    assert live(aws) == "2"
    back = repository.run(event="workflow_dispatch", inputs={"roll-back-to": "previous"})
    assert back.job.succeeded, back.job.output
    assert "deploy" not in {step.job for step in back.job.steps}
    assert "Version 1 serves again, in the place of 2." in back.summary
    assert live(aws) == "1"
    nothing_secret_in(back)

    repository.write("config.yaml", good.replace('"model_list"', '"litellm_settings": {}, "model_list"'))
    repository.secrets["PROVIDER_CREDENTIALS"] = credentials
    fixed = repository.run()
    assert fixed.job.succeeded, fixed.job.output
    assert went(fixed.job) == DONE
    assert stored(aws) == before
    assert f"| `{NEW_KEY}` | removed: the secrets no longer hold it |" in fixed.summary
    assert live(aws) == "3"


def test_a_template_that_is_wrong_fails_where_it_is_first_seen_and_leaves_nothing_in_the_way(
    prepared_aws: LocalAws, prepared_repository: Repository
) -> None:
    aws, repository = prepared_aws, prepared_repository
    repository.write(
        "template.yaml", TEMPLATE.replace("      MemorySize: !Ref MemorySize\n", "      Memory: 1\n", 1)
    )
    linted = repository.run()
    assert went(linted.job) == until(VALIDATION, failed=True)
    assert any("Memory" in error for error in linted.job.errors), linted.job.errors

    table = """
  Table:
    Type: AWS::Kinesis::Stream
    Properties: {ShardCount: 1}
"""
    repository.write("template.yaml", TEMPLATE.replace("\nOutputs:\n", f"{table}\nOutputs:\n"))
    lacking = repository.run()
    assert went(lacking.job) == until(VALIDATION, failed=True)
    assert any("kinesis" in error.lower() for error in lacking.job.errors), lacking.job.errors

    repository.write("template.yaml", TEMPLATE.replace("\nOutputs:\n", f"{TWICE}\nOutputs:\n"))
    failed = repository.run()
    assert went(failed.job) == until("Deploy the stack", failed=True)
    (section,) = re.findall(r"^### ❌ Deployment.*?(?=^### )", failed.summary, re.MULTILINE | re.DOTALL)
    assert "What failed first" in section
    assert re.search(r"^\w+ \(AWS::Lambda::Alias\): .*already exists", section, re.MULTILINE)
    assert "cancelled" not in section
    assert stack(aws)["StackStatus"] == "ROLLBACK_COMPLETE"

    repository.write("template.yaml", TEMPLATE)
    recovered = repository.run()
    assert recovered.job.succeeded, recovered.job.output
    assert went(recovered.job)[-1] == (AT_THE_END, True)
    assert "The remains of an earlier, failed first deployment were deleted before." in recovered.summary
    assert stack(aws)["StackStatus"] == "CREATE_COMPLETE"
