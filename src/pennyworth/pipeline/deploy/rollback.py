"""An earlier version of the function before callers again, at once and without a deployment."""

from collections.abc import Mapping
from dataclasses import dataclass

from pennyworth.aws.function_versions import AliasedFunction, find_function
from pennyworth.aws.snapshot import Snapshot
from pennyworth.aws.stack import Stack
from pennyworth.checks.smoke import deployed_endpoint as smoke_tests
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.deploy.verify import Answers, try_again

PREVIOUS = "previous"
"""What names the newest version before the one that serves."""

_WAIT_MINUTES = 30.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which version callers reach from now on."""

    stack: str
    region: str
    version: str = PREVIOUS
    """A version's number, or PREVIOUS."""
    wait_seconds: float = 60 * _WAIT_MINUTES
    """For how long another operation on the stack is waited for."""
    smoke: smoke_tests.Inputs | None = None
    """How the version is tried then; None where it is not."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """As a step is told them: STACK_NAME and AWS_REGION; and, if wanted, VERSION, WAIT_MINUTES and, with
        LITELLM_API_KEYS, what the smoke tests take.

        Raises:
            OperationFailed: one is missing or wrong.
        """
        return cls(
            stack=actions.required(environ, "STACK_NAME"),
            region=actions.required(environ, "AWS_REGION"),
            version=environ.get("VERSION", "").strip() or PREVIOUS,
            wait_seconds=60 * actions.number(environ, "WAIT_MINUTES", _WAIT_MINUTES),
            smoke=smoke_tests.Inputs.of(environ) if environ.get("LITELLM_API_KEYS", "").strip() else None,
        )


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback did."""

    version: str
    """The version that callers reach now."""
    before: str | None
    """The one that they reached before."""
    deployed: str
    """The one that the stack was deployed with."""
    answers: Answers | None = None
    """How it answers; None where it was not tried."""


def roll_back(inputs: Inputs) -> RolledBack:
    """Point the alias at another version, and try that.

    Raises:
        OperationFailed: there is no such version, or it can't be put back.
    """
    stack = Stack(inputs.stack, inputs.region)
    function = get_function(inputs.stack, stack.wait_until_idle(inputs.wait_seconds, actions.say))
    before = function.fetch_live_version()
    version = choose_version(function, inputs.version)
    function.point_at(version)
    answers = try_again(inputs.smoke) if inputs.smoke else None
    return RolledBack(version, before, function.wanted, answers)


def get_function(name: str, stack: Snapshot | None) -> AliasedFunction:
    """A stack's function.

    Args:
        name: the stack's.
        stack: it as it is; None where there is none.
    Raises:
        OperationFailed: it has none behind an alias.
    """
    if function := find_function(stack):
        return function
    raise OperationFailed(
        f"The stack {name} has no versions to choose from",
        "Look at its name and region; deploy it once with this project's template, which publishes versions.",
    )


def choose_version(function: AliasedFunction, version: str) -> str:
    """The number of a version that there is.

    Raises:
        OperationFailed: there is no such version.
    """
    numbers = [one.number for one in function.list_versions()]
    wanted = function.find_previous_version() if version == PREVIOUS else version
    if wanted in numbers:
        return str(wanted)
    title = "There is no previous version" if version == PREVIOUS else f"There is no version {version}"
    raise OperationFailed(
        title, f"{function.fetch_live_version()} serves. Those that there are: {', '.join(numbers)}."
    )


def check_answers(done: RolledBack) -> None:
    """Check that the version answers as it should, where it was tried.

    Raises:
        OperationFailed: it does not.
    """
    if done.answers and not done.answers.well:
        raise OperationFailed(
            f"Version {done.version} serves again, and does not answer as it should",
            "Put another one back, or look whether the cause is a provider, a credential or the domain.",
            done.answers.report,
        )


def rolled_back_as_markdown(done: RolledBack) -> str:
    """What serves now, and how it answers."""
    report = (
        f"Version {done.version} serves already."
        if done.version == done.before
        else f"Version {done.version} serves again, in the place of {done.before}."
    )
    if done.version != done.deployed:
        report += (
            f" The stack itself stays as it was deployed, with version {done.deployed}; the next deployment goes"
            " forward from there."
        )
    return f"{report}\n\n{done.answers.report}" if done.answers else report
