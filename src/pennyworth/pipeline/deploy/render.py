"""What a deployment did, for a job's summary."""

from pennyworth.github import actions
from pennyworth.pipeline.cost import as_markdown, estimate
from pennyworth.pipeline.deploy.deployment import Deployment


def deployment_as_markdown(done: Deployment) -> str:
    """What changed, where it runs, and what it costs."""
    parts = [_describe_outcome(done), _list_places(done)]
    if done.changes:
        parts.append(_fold("What changed, slowest first", _list_changes(done)))
    if "MemorySize" in done.parameters:  # it is this project's template
        parts.append(_fold("What it costs", as_markdown(estimate(done.parameters, done.region))))
    return "\n\n".join(parts)


def describe_result(done: Deployment) -> str:
    """What happened, in a few words."""
    if not done.changes and not done.resumed:
        return "Nothing to deploy: the stack is as it was"
    return f"Deployed: version {done.version} serves" if done.version else "Deployed"


def describe_place(done: Deployment, stack: str) -> str:
    """Where the endpoint is, in a line."""
    return " · ".join(filter(None, [done.url and f"<{done.url}>", f"`{stack}` in {done.region}"]))


def _describe_outcome(done: Deployment) -> str:
    outcome = (
        "Nothing had changed: the stack is as it was."
        if not done.changes
        else f"{'Updated' if done.existed else 'Created'}: {len(done.changes)} resources."
    )
    if done.recovered:
        outcome += " The remains of an earlier, failed first deployment were deleted before."
    if done.resumed:
        outcome += f" Callers reach version {done.version} again, which a rollback had taken back."
    return outcome


def _list_places(done: Deployment) -> str:
    outputs = done.outputs
    places = {
        "Base URL": done.url,
        "Function": outputs.get("FunctionName", ""),
        "Version": outputs.get("FunctionVersion", "").rpartition(":")[2],
        "Log group": outputs.get("LogGroupName", ""),
        "Dashboard": outputs.get("DashboardUrl", ""),
    }
    return actions.table(
        ("", ""),
        [(name, f"<{place}>" if "://" in place else f"`{place}`") for name, place in places.items() if place],
    )


def _list_changes(done: Deployment) -> str:
    slowest = sorted(done.changes, key=lambda change: -change.seconds)
    rows = [
        (change.action, change.resource, change.type, actions.duration(change.seconds)) for change in slowest
    ]
    return actions.table(("", "resource", "type", "time"), rows)


def _fold(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
