"""What was deployed, tried as its users would; where it fails, the version that served before is put back."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pennyworth.aws.function_versions import AliasedFunction, find_function
from pennyworth.aws.stack import Stack
from pennyworth.checks.smoke import deployed_endpoint as smoke_tests
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.failures import explain

_TRIES = 3
_PAUSE_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 60.0  # where it has answered before

_STACK_STAYS = (
    "The stack's template and parameters stay as they were deployed, and the next deployment goes forward from"
    " there: fix what failed, and push. `pennyworth rollback --to {new}` lets callers reach the new version again."
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is tried, and what happens where it fails."""

    smoke: smoke_tests.Inputs
    previous_version: str = ""
    """The version that served before the deployment; empty after a first one."""
    rollback: bool = True
    """Whether a version that fails is taken back."""
    credentials: str = ""
    """The names of the credentials that this deployment has written. Every version reads them."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: what the smoke tests take, PREVIOUS_VERSION and, if wanted, ROLLBACK and
        WRITTEN_CREDENTIALS.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        return cls(
            rollback=actions.asked(environ, "ROLLBACK", default=True),
            smoke=smoke_tests.Inputs.of(environ),
            previous_version=environ.get("PREVIOUS_VERSION", "").strip(),
            credentials=environ.get("WRITTEN_CREDENTIALS", "").strip(),
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """How a version answered."""

    well: bool
    report: str


def verify(inputs: Inputs, tell: Callable[[smoke_tests.Tried], None]) -> smoke_tests.Tried:
    """Run the smoke tests.

    Args:
        inputs: what is tried.
        tell: is told how the deployed version answered, before anything is put back.
    Returns:
        how it answered, which is well.
    Raises:
        OperationFailed: a check failed, or could not be made. It tells both stories: what failed, and what serves now.
    """
    try:
        tried = smoke_tests.try_stack(inputs.smoke)
        tell(tried)
        if tried.passed:
            return tried
        raise smoke_tests.make_failure(tried)
    except Exception as failure:
        explained = explain(failure)
        raise (_put_back(inputs, explained) if inputs.rollback else explained) from failure


def try_again(inputs: smoke_tests.Inputs) -> Answers:
    """Try an endpoint whose alias was just pointed elsewhere, which takes Lambda a moment."""
    soon = replace(inputs, wait_seconds=min(inputs.wait_seconds, _LONGEST_WAIT_SECONDS))
    report = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        try:
            tried = smoke_tests.try_stack(soon)
            if tried.passed:
                return Answers(True, smoke_tests.tried_as_markdown(tried))
            raise smoke_tests.make_failure(tried)
        except Exception as failure:
            explained = explain(failure)
            report = f"{explained.title}. {explained.detail}"
    return Answers(False, report)


def _put_back(inputs: Inputs, failure: OperationFailed) -> OperationFailed:
    """Both stories as one failure."""
    previous = inputs.previous_version
    what = failure.detail or failure.title
    try:
        now = find_function(Stack(inputs.smoke.stack, inputs.smoke.region).describe())
        if now is None or not previous or previous == now.wanted:
            why = _explain_no_way_back(now, previous)
            return OperationFailed(failure.title, f"{why} {failure.message}", failure.detail)
        actions.say(f"Version {now.wanted} fails: version {previous} is put back.")
        now.point_at(previous)
    except Exception as refusal:
        refused = explain(refusal)
        return OperationFailed(
            "The new version does not answer as it should, and can't be taken back",
            f"It goes on serving. {refused.title}. {refused.message}",
            f"The new version:\n{what}\n\n{refused.detail}",
        )
    new = now.wanted
    stays = _STACK_STAYS.format(new=new)
    answers = try_again(inputs.smoke)
    taken_back = f"Version {new}, new, taken back:\n{what}\n\nVersion {previous}, which serves now:"
    if answers.well:
        return OperationFailed(
            f"Version {new} does not answer as it should: version {previous} serves again",
            f"It was tried after that, and answers as it should. {stays}",
            f"{taken_back} all passed",
        )
    cause = (
        f"This deployment wrote {inputs.credentials} anew, which every version reads, so look there first. If a secret"
        " is wrong, correct it and push, or set the value with `pennyworth credentials set`."
        if inputs.credentials
        else "So the cause is perhaps no change of this deployment's: a provider, a credential, the domain."
    )
    return OperationFailed(
        f"Version {new} does not answer as it should, nor does version {previous}, which serves again",
        f"{cause} {stays}",
        f"{taken_back}\n{answers.report}",
    )


def _explain_no_way_back(now: AliasedFunction | None, previous: str) -> str:
    if now is None:
        return "The stack has no function behind an alias, so that there is nothing to put back."
    if not previous:
        return "This was the first deployment: there is no previous version to put back."
    return f"This deployment made no new version: {previous} served before it, too. The cause lies elsewhere."
