"""Keep PassRole to the stack's own roles: those that it has, or also those that a template is about to create."""

from pennyworth.github import actions
from pennyworth.iam.passrole import Inputs, as_markdown, change_passrole

TITLE = "PassRole"


def run(environ: dict[str, str]) -> str:
    """Rewrite the deploy role's PassRole statement. Sets the step's output `changed`.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what may be handed on now, and what changed.
    Raises:
        OperationFailed: it can't be, or does not prove true.
    """
    inputs = Inputs.of(environ)
    outcome = change_passrole(inputs)
    actions.output("changed", "true" if outcome.difference and not inputs.dry_run else "false")
    for one in outcome.wider:
        actions.warning(
            "PassRole is wider than this policy says",
            f"{one.arn} can be handed to {one.service}, too, by {one.because}. Narrow that, or detach it.",
        )
    return as_markdown(outcome, inputs)
