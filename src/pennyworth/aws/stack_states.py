"""What each state of a CloudFormation stack means for a deployment.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

RECOVER = "`pennyworth recover`"


class Then(StrEnum):
    """What a deployment does with a stack in a state."""

    DEPLOY = "deploy"
    WAIT = "wait"
    """An operation is in progress."""
    RECREATE = "recreate"
    """The remains of a failed first deployment. They can't be updated, so they are deleted first."""
    STOP = "stop"
    """A person has to do something first."""


@dataclass(frozen=True, slots=True)
class State:
    """A state."""

    then: Then
    advice: str = ""
    """What to do where a deployment stops, or waits in vain."""
    deployed: bool = True
    """Whether there are, or may be, resources of a deployment that succeeded once."""


_DEPLOY = State(Then.DEPLOY)
_WAIT = State(Then.WAIT, "Another operation is in progress. Wait for it to finish, then run this again.")

STATES: Mapping[str, State] = {
    "REVIEW_IN_PROGRESS": State(Then.DEPLOY, deployed=False),  # there is a change set, but nothing else
    "CREATE_IN_PROGRESS": _WAIT,
    "CREATE_COMPLETE": _DEPLOY,
    "CREATE_FAILED": State(
        Then.STOP,
        f"Its creation failed, and nothing was rolled back. {RECOVER} deletes what there is. Then run this again.",
    ),
    "ROLLBACK_IN_PROGRESS": _WAIT,
    "ROLLBACK_COMPLETE": State(Then.RECREATE, deployed=False),
    "ROLLBACK_FAILED": State(
        Then.STOP,
        f"Its creation failed, and the rollback too. {RECOVER} deletes what there is. Then run this again.",
    ),
    "UPDATE_IN_PROGRESS": _WAIT,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": _WAIT,
    "UPDATE_COMPLETE": _DEPLOY,
    "UPDATE_FAILED": _DEPLOY,  # an update without rollback; the next one goes on from there
    "UPDATE_ROLLBACK_IN_PROGRESS": _WAIT,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": _WAIT,
    "UPDATE_ROLLBACK_COMPLETE": _DEPLOY,
    "UPDATE_ROLLBACK_FAILED": State(
        Then.STOP,
        f"An update failed, and its rollback too. {RECOVER} continues the rollback. Then run this again.",
    ),
    "DELETE_IN_PROGRESS": State(
        Then.WAIT,
        "Somebody is deleting it. Wait for the end, then run this again. If it was not you, CloudTrail shows who.",
    ),
    "DELETE_COMPLETE": State(Then.DEPLOY, deployed=False),
    "DELETE_FAILED": State(
        Then.STOP,
        "Somebody deleted it, and not all of it could go. `pennyworth remove` continues, and says how to leave the rest"
        " behind. Then run this again.",
    ),
    "IMPORT_IN_PROGRESS": State(
        Then.WAIT, "Somebody is importing resources into it. Wait for the end, then run this again."
    ),
    "IMPORT_COMPLETE": _DEPLOY,
    "IMPORT_ROLLBACK_IN_PROGRESS": _WAIT,
    "IMPORT_ROLLBACK_COMPLETE": _DEPLOY,
    "IMPORT_ROLLBACK_FAILED": State(
        Then.STOP,
        "Somebody imported resources, which failed, and could not be undone. The stack's events in the CloudFormation"
        " console name the resource. Put that right and repeat the import there, then run this again.",
    ),
}
"""All states that there are."""

_UNKNOWN = State(
    Then.STOP, "This version does not know the state. See the stack's events in the CloudFormation console."
)


def get_state(status: str) -> State:
    """Get what a state means, also of one that AWS may add.

    Args:
        status: a stack's state, such as UPDATE_COMPLETE.
    """
    return STATES.get(status, _UNKNOWN)
