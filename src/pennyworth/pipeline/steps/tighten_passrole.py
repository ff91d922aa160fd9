"""Keep PassRole to the stack's own roles: those that it has, or also those that a template is about to create."""

from pathlib import Path

from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed
from pennyworth.iam import passrole

TITLE = "PassRole"


def run(environ: dict[str, str]) -> str:
    """Rewrite the deploy role's PassRole statement.

    Args:
        environ: STACK_NAME; AWS_REGION; and if wanted PREPARE, the path of a template whose roles are to be admitted
            before it is deployed; RESTORE and DRY_RUN, true or false; POLICY and ROLE, by name or ARN.
    Returns:
        what may be handed on now, and what changed.
    Raises:
        OperationFailed: it can't be, or does not prove true.
    """
    target = passrole.Target(
        actions.required(environ, "STACK_NAME"),
        actions.required(environ, "AWS_REGION"),
        **{name.lower(): environ[name] for name in ("POLICY", "ROLE") if environ.get(name)},
    )
    template = environ.get("PREPARE", "")
    restore, dry_run = _asked(environ, "RESTORE"), _asked(environ, "DRY_RUN")
    if template and restore:
        raise OperationFailed("PREPARE and RESTORE exclude one another", "Set one of them.")
    if template:
        if not Path(template).is_file():
            raise OperationFailed("There is no template", f"{template} is no file. Build first.")
        said = "It names the roles that the stack has, and those that the template is about to create."
        outcome = passrole.prepare(target, Path(template), dry_run=dry_run)
    elif restore:
        said = "It is the former one."
        outcome = passrole.restore(target, dry_run=dry_run)
    else:
        said = "It names exactly the roles that the stack has."
        outcome = passrole.tighten(target, dry_run=dry_run)
    actions.output("changed", "true" if outcome.difference and not dry_run else "false")
    for finding in outcome.wider:
        actions.warning(
            "PassRole is wider than this policy says",
            f"{finding.arn} can be handed to {finding.service}, too, by {finding.because}. Narrow that, or detach it.",
        )
    return _report(outcome, said, dry_run=dry_run)


def _report(outcome: passrole.Outcome, said: str, *, dry_run: bool) -> str:
    if not outcome.difference:
        what = f"Nothing had changed: version {outcome.version} of the policy still applies. {said}"
    elif dry_run:
        what = f"Nothing was changed. Version {outcome.version} of the policy would be replaced:"
    else:
        what = f"Version {outcome.version} of the policy applies now. {said}"
    parts = [what]
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


def _asked(environ: dict[str, str], name: str) -> bool:
    value = environ.get(name, "")
    if value not in {"", "true", "false"}:
        raise OperationFailed(f"{name} is neither true nor false", f"It is {value!r}.")
    return value == "true"
