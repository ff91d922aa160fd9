"""A deployment that is approved: the change set of the first job is what the second one executes."""

import re

from tests.rehearsal.account import client
from tests.rehearsal.test_deploy import ALL_OF_IT, AT_THE_END, DONE, STEPS

from pennyworth.local.aws.server import LocalAws
from pennyworth.local.rehearsal.repository import STACK, Repository

MADE, CHECKED = "Make the change set", "Check that the change set is as it was approved"


def test_one_job_makes_the_change_set_and_the_next_executes_it(
    deployed_repository: Repository, deployed_aws: LocalAws
) -> None:
    cloudformation, logs = client(deployed_aws, "cloudformation"), client(deployed_aws, "logs")
    before = {one["ChangeSetId"] for one in cloudformation.list_change_sets(StackName=STACK)["Summaries"]}
    deployed_repository.parameters = {**deployed_repository.parameters, "LogRetentionDays": "14"}
    rehearsal = deployed_repository.run(event="workflow_dispatch", inputs={"approve": "true"})
    job = rehearsal.job
    assert job.succeeded, job.output
    went = [(step.name, step.succeeded) for step in job.parts if step.inside in (ALL_OF_IT, MADE)]
    shared = DONE[: STEPS.index("Build the function")]
    proposed = [*DONE[: STEPS.index("Build the function") + 1], (MADE, True), (AT_THE_END, True)]
    assert went == [*proposed, *shared, (CHECKED, True), *DONE[STEPS.index("Build the function") + 1 :]]
    (group,) = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{STACK}")["logGroups"]
    assert group["retentionInDays"] == 14
    (made,) = (
        one
        for one in cloudformation.list_change_sets(StackName=STACK)["Summaries"]
        if one["ChangeSetId"] not in before
    )
    assert re.fullmatch(r"pennyworth-\d+-\d+", made["ChangeSetName"])
    assert made["ExecutionStatus"] == "EXECUTE_COMPLETE"
    assert f"`{made['ChangeSetName']}`, not yet executed" in job.summary
    assert "`LogRetentionDays` | `30` | `14`" in job.summary
    assert f"`{made['ChangeSetName']}` is as it was approved" in job.summary
