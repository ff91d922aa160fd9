"""Let callers reach an earlier version of the function again, and try it as they would."""

from pennyworth.aws.function_versions import Deployed, deployed
from pennyworth.aws.stack import Stack
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.pipeline.steps.verify import answers

TITLE = "Rollback"

FORMER = "former"
"""What names the newest version before the one that serves."""


def run(environ: dict[str, str]) -> str:
    """Point the alias at another version. Sets the step's output `version`.

    Args:
        environ: STACK_NAME; AWS_REGION; VERSION, a version's number or `former`. If LITELLM_API_KEYS is set, what
            `smoke_test` takes, too: the version is tried then. If wanted WAIT_MINUTES, for how long another operation
            on the stack is waited for.
    Returns:
        what serves now, and how it answers.
    Raises:
        OperationFailed: there is no such version, it can't be put back, or it does not answer as it should.
    """
    stack = Stack(actions.required(environ, "STACK_NAME"), actions.required(environ, "AWS_REGION"))
    stack.wait_until_idle(60 * actions.number(environ, "WAIT_MINUTES", 30), actions.say)
    now = function(stack)
    was = now.live()
    wanted = chosen(now, environ.get("VERSION", "").strip() or FORMER)
    now.point_at(wanted)
    actions.output("version", wanted)
    report = (
        f"Version {wanted} serves already."
        if wanted == was
        else f"Version {wanted} serves again, in the place of {was}."
    )
    if wanted != now.wanted:
        report += (
            f" The stack itself stays as it was deployed, with version {now.wanted}; the next deployment goes forward"
            " from there."
        )
    if environ.get("LITELLM_API_KEYS", "").strip():
        tried = answers(environ)
        if not tried.well:
            raise OperationFailed(
                f"Version {wanted} serves again, and does not answer as it should",
                "Put another one back, or look whether the cause is a provider, a credential or the domain.",
                tried.report,
            )
        report += f"\n\n{tried.report}"
    return report


def function(stack: Stack) -> Deployed:
    """A stack's function.

    Raises:
        OperationFailed: it has none behind an alias.
    """
    if now := deployed(stack):
        return now
    raise OperationFailed(
        f"The stack {stack.name} has no versions to choose from",
        "Look at its name and region; deploy it once with this project's template, which publishes versions.",
    )


def chosen(now: Deployed, version: str) -> str:
    """The number of a version that there is.

    Raises:
        OperationFailed: there is no such version.
    """
    numbers = [one.number for one in now.versions()]
    wanted = now.former() if version == FORMER else version
    if wanted in numbers:
        return str(wanted)
    title = "There is no former version" if version == FORMER else f"There is no version {version}"
    raise OperationFailed(title, f"{now.live()} serves. Those that there are: {', '.join(numbers)}.")
