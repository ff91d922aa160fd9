"""What became of a policy's PassRole, for a job's summary."""

from pennyworth.github import actions
from pennyworth.iam.passrole.change import Inputs, Outcome


def as_markdown(outcome: Outcome, inputs: Inputs) -> str:
    """What may be handed on now, and what changed."""
    parts = [_describe(outcome, inputs)]
    if outcome.roles:
        rows = [(f"`{role.arn}`", ", ".join(role.services)) for role in outcome.roles]
        parts.append(actions.table(("role that may be handed on", "to"), rows))
    if outcome.wider:
        beyond = [(f"`{one.arn}`", one.service, one.because) for one in outcome.wider]
        parts.append("⚠️ Beyond that, by other statements or policies:")
        parts.append(actions.table(("role", "to", "by"), beyond))
    if outcome.difference:
        parts.append(
            f"<details><summary>Before and after</summary>\n\n```diff\n{outcome.difference}\n```\n\n</details>"
        )
    return "\n\n".join(parts)


def _describe(outcome: Outcome, inputs: Inputs) -> str:
    if inputs.prepare:
        content = "It names the roles that the stack has, and those that the template is about to create."
    elif inputs.restore:
        content = "It is the previous one."
    else:
        content = "It names exactly the roles that the stack has."
    if not outcome.difference:
        return f"Nothing had changed: version {outcome.version} of the policy still applies. {content}"
    if inputs.dry_run:
        return f"Nothing was changed. Version {outcome.version} of the policy would be replaced:"
    return f"Version {outcome.version} of the policy applies now. {content}"
