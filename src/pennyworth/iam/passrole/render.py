"""Render the outcome of a change of PassRole for a job summary."""

from pennyworth.github import actions
from pennyworth.iam.passrole.change import Inputs, Outcome


def as_markdown(outcome: Outcome, inputs: Inputs) -> str:
    """Render which roles can be passed now, and what changed.

    Args:
        outcome: the policy after the change.
        inputs: the requested change.
    Returns:
        Markdown.
    """
    parts = [_describe(outcome, inputs)]
    if outcome.roles:
        rows = [(f"`{role.arn}`", ", ".join(role.services)) for role in outcome.roles]
        parts.append(actions.table(("role that can be passed", "to"), rows))
    if outcome.wider:
        beyond = [(f"`{one.arn}`", one.service, one.because) for one in outcome.wider]
        parts.append("⚠️ Other statements or policies also allow passing:")
        parts.append(actions.table(("role", "to", "by"), beyond))
    if outcome.difference:
        parts.append(
            f"<details><summary>Difference</summary>\n\n```diff\n{outcome.difference}\n```\n\n</details>"
        )
    return "\n\n".join(parts)


def _describe(outcome: Outcome, inputs: Inputs) -> str:
    if inputs.prepare:
        content = "It lists the stack's roles and those that the template will create."
    elif inputs.restore:
        content = "It is the previous version."
    else:
        content = "It lists exactly the stack's roles."
    if not outcome.difference:
        return f"No change needed: version {outcome.version} of the policy still applies. {content}"
    if inputs.dry_run:
        return f"Dry run: version {outcome.version} of the policy would be replaced."
    return f"Version {outcome.version} of the policy applies now. {content}"
