"""Try what was deployed as its users would; where it fails, put the version back that served before, and try that."""

import time
from typing import NamedTuple

from pennyworth.aws.function_versions import Deployed, deployed
from pennyworth.aws.stack import Stack
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.steps import smoke_test

TITLE = "Smoke tests"

_TRIES = 3
_PAUSE_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 60.0  # where it has answered before

_STACK_STAYS = (
    "The stack's template and parameters stay as they were deployed, and the next deployment goes forward from"
    " there: mend what failed, and push. `pennyworth rollback --to {new}` lets callers reach the new version again."
)


class Answers(NamedTuple):
    """How a version answered."""

    well: bool
    report: str


def run(environ: dict[str, str]) -> str:
    """Run the smoke tests.

    Args:
        environ: what `smoke_test` takes, whose outputs it sets, too; FORMER_VERSION, which served before the
            deployment, empty after a first one; and if wanted ROLLBACK, false where a version that fails shall go on
            serving.
    Returns:
        what was seen.
    Raises:
        OperationFailed: a check failed. It tells both stories: what failed, and what serves now.
    """
    back = actions.asked(environ, "ROLLBACK", default=True)
    try:
        return smoke_test.run(environ)
    except OperationFailed as failure:
        if not back:
            raise
        stack = Stack(actions.required(environ, "STACK_NAME"), actions.required(environ, "AWS_REGION"))
        raise _put_back(deployed(stack), environ, failure) from failure


def answers(environ: dict[str, str]) -> Answers:
    """Try an endpoint whose alias was just pointed elsewhere, which takes Lambda a moment."""
    # a file of results is the new version's alone
    environ = {name: value for name, value in environ.items() if name != "JUNIT"}
    wait = min(actions.number(environ, "WAIT_SECONDS", 0), _LONGEST_WAIT_SECONDS)
    for attempt in range(_TRIES):
        try:
            return Answers(True, smoke_test.run(environ | {"WAIT_SECONDS": str(wait)}))
        except OperationFailed as failure:
            told = f"{failure.title}. {failure.detail}"
            if attempt + 1 < _TRIES:
                time.sleep(_PAUSE_SECONDS)
    return Answers(False, told)


def _put_back(now: Deployed | None, environ: dict[str, str], failure: OperationFailed) -> OperationFailed:
    """Both stories as one failure."""
    former = environ.get("FORMER_VERSION", "").strip()
    if now is None or not former or former == now.wanted:
        why = (
            "The stack has no function behind an alias, so that there is nothing to put back."
            if now is None
            else "This was the first deployment: there is no former version to put back."
            if not former
            else f"This deployment made no new version: {former} served before it, too. The cause lies elsewhere."
        )
        return OperationFailed(
            failure.title, f"{failure.message} {why}".replace(" What failed: ", " "), failure.detail
        )
    new = now.wanted
    stays = _STACK_STAYS.format(new=new)
    actions.say(f"Version {new} fails: version {former} is put back.")
    try:
        now.point_at(former)
    except OperationFailed as refused:
        return OperationFailed(
            f"Version {new} does not answer as it should, and can't be taken back",
            f"It goes on serving. {refused.title}. {refused.message}",
            f"Version {new}, new:\n{failure.detail}\n\n{refused.detail}",
        )
    well, report = answers(environ)
    actions.output(
        "passed", "false"
    )  # of the version that was deployed, whatever the former one's tests said
    if well:
        return OperationFailed(
            f"Version {new} does not answer as it should: version {former} serves again",
            f"It was tried after that, and answers as it should. {stays}",
            f"Version {new}, new, taken back:\n{failure.detail}\n\nVersion {former}, which serves now: all passed",
        )
    return OperationFailed(
        f"Version {new} does not answer as it should, nor does version {former}, which serves again",
        f"So the cause is perhaps no change of this deployment's: a provider, a credential, the domain. {stays}",
        f"Version {new}, new, taken back:\n{failure.detail}\n\nVersion {former}, which serves now:\n{report}",
    )
