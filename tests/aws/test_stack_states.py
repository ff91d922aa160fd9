"""What each state of a stack means for a deployment."""

import re

import boto3

from pennyworth.aws.stack_states import STATES, Then, get_state
from pennyworth.cli import COMMANDS


def test_every_state_is_known() -> None:
    client = boto3.client("cloudformation", region_name="us-east-1")
    assert set(STATES) == set(client.meta.service_model.shape_for("StackStatus").enum)


def test_who_has_to_act_is_told_what_to_do() -> None:
    for status, state in STATES.items():
        assert bool(state.advice) is (state.then in {Then.WAIT, Then.STOP}), status
        assert (state.then is Then.WAIT) is (
            status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
        )
        assert set(re.findall(r"`pennyworth (\w+)", state.advice)) <= set(COMMANDS)


def test_a_state_that_aws_adds_stops_a_deployment() -> None:
    assert get_state("MIGRATION_FAILED").then is Then.STOP
    assert get_state("MIGRATION_FAILED").advice
