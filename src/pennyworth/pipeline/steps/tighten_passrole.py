"""Keep PassRole to the stack's own roles: those that it has, or those that a template is about to create."""

from pathlib import Path

from pennyworth.pipeline import passrole, workflow

TITLE = "PassRole"


def run(environ: dict[str, str]) -> str:
    """Rewrite the deploy role's PassRole statement.

    Args:
        environ: STACK_NAME; AWS_REGION; and if wanted PREPARE, the path of a template whose roles are to be admitted
            before it is deployed; RESTORE and DRY_RUN, true or false; POLICY and ROLE, by name or ARN.
    Returns:
        what may be handed on now, and what changed.
    Raises:
        StepFailed: it can't be, or does not prove true.
    """
    target = passrole.Target(
        workflow.required(environ, "STACK_NAME"),
        workflow.required(environ, "AWS_REGION"),
        **{name.lower(): environ[name] for name in ("POLICY", "ROLE") if environ.get(name)},
    )
    template, restore, dry_run = (environ.get(name, "") for name in ("PREPARE", "RESTORE", "DRY_RUN"))
    if template and _asked("RESTORE", restore):
        raise workflow.StepFailed("PREPARE and RESTORE exclude one another", "Set one of them.")
    dry = _asked("DRY_RUN", dry_run)
    if template:
        if not Path(template).is_file():
            raise workflow.StepFailed("There is no template", f"{template} is no file. Build first.")
        outcome = passrole.prepare(target, Path(template), dry_run=dry)
    else:
        change = passrole.restore if _asked("RESTORE", restore) else passrole.tighten
        outcome = change(target, dry_run=dry)
    workflow.output("changed", "true" if outcome.difference and not dry else "false")
    for finding in outcome.wider:
        workflow.warning(
            "PassRole is wider than this policy says",
            f"{finding.arn} can be handed to {finding.service}, too, by {finding.because}. Narrow that, or detach it.",
        )
    return report(outcome, dry_run=dry)


def report(outcome: passrole.Outcome, *, dry_run: bool) -> str:
    """What became of the policy, in Markdown."""
    what = (
        f"Nothing had changed: version {outcome.version} still applies."
        if not outcome.difference
        else f"Version {outcome.version} would be replaced."
        if dry_run
        else f"Version {outcome.version} applies now."
    )
    parts = [what]
    if outcome.roles:
        rows = [(f"`{role.arn}`", ", ".join(role.services)) for role in outcome.roles]
        parts.append(workflow.table(("role that may be handed on", "to"), rows))
    if outcome.wider:
        beyond = [(f"`{one.arn}`", one.service, one.because) for one in outcome.wider]
        parts.append("⚠️ Beyond that, against what this policy says:")
        parts.append(workflow.table(("role", "to", "by"), beyond))
    if outcome.difference:
        parts.append(f"```diff\n{outcome.difference}\n```")
    return "\n\n".join(parts)


def _asked(name: str, value: str) -> bool:
    if value not in {"", "true", "false"}:
        raise workflow.StepFailed(f"{name} is neither true nor false", f"It is {value!r}.")
    return value == "true"
