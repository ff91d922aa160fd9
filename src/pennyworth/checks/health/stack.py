"""Checks the stack's state, and its resources for drift."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pennyworth.aws.stack_states import Then, get_state
from pennyworth.checks.finding import Finding, Findings, Verdict, ok, unhealthy, unknown, warning
from pennyworth.checks.health.subject import Subject

_LONGEST = timedelta(hours=2)
"""A longer operation hangs: the deployment workflow's job ends after an hour."""

_SOUND = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_BACK = frozenset({"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"})
_POLL_SECONDS = 2.0

MOVED = ("AWS::Lambda::Alias", ("/FunctionVersion", "/RoutingConfig"))
"""What a rollback changes by design. The check `version` covers it."""


def check_state(subject: Subject) -> Findings:
    """Check the stack's state."""
    status = subject.status
    state = get_state(status)
    if not status:
        yield unhealthy(
            "there is no stack {stack}",
            "Deploy it, or correct STACK_NAME and AWS_REGION.",
            stack=subject.stack,
        )
    elif status in _SOUND:
        yield ok(status)
    elif status in _BACK:
        yield warning(
            f"{status}: the last deployment failed, and the previous one is live",
            "The summary of that workflow run says why. Fix it and deploy again.",
        )
    elif state.then is Then.WAIT and status != "DELETE_IN_PROGRESS":
        lasts = datetime.now(UTC) - subject.begun if subject.begun else timedelta()
        minutes = lasts.total_seconds() / 60
        if lasts < _LONGEST:
            yield Finding(
                Verdict.DEPLOYING, f"a deployment has been in progress for {minutes:.0f} min ({status})"
            )
        else:
            yield unhealthy(
                f"{status} for {minutes:.0f} min", "Check in the CloudFormation console what it waits for."
            )
    else:
        yield unhealthy(
            status, state.advice or "Deploy again. If that fails, the workflow run says what to do."
        )


def check_drift(subject: Subject) -> Findings:
    """Check the stack's resources for drift. Findings contain no values: they may be credentials."""
    limit = subject.limits.drift_seconds
    if not limit:
        yield ok("skipped, because drift-seconds is 0")
        return
    cloudformation = subject.account.client("cloudformation")
    begun = cloudformation.detect_stack_drift(StackName=subject.stack)["StackDriftDetectionId"]
    found = _await_detection(cloudformation, begun, limit)
    if found["DetectionStatus"] == "DETECTION_IN_PROGRESS":
        yield unknown(f"drift detection did not finish within {limit:.0f} s", "The next run tries again.")
        return
    drifted = list(_list_drifted(cloudformation, subject.stack))
    deleted = [one["LogicalResourceId"] for one in drifted if one["StackResourceDriftStatus"] == "DELETED"]
    changed = [told for one in drifted if (told := _changed(one))]
    if deleted:
        yield unhealthy(
            f"somebody deleted {', '.join(sorted(deleted))}",
            "Deploy once without it and once with it, or delete the stack and deploy it again.",
        )
    if changed:
        yield warning(
            "changed outside CloudFormation:\n" + "\n".join(sorted(changed)),
            "Make the same change in your settings, or undo it: a later deployment may overwrite it.",
        )
    if found["DetectionStatus"] == "DETECTION_FAILED":
        yield unknown(
            "drift detection could not check everything: {reason}",
            "Usually a read permission is missing. policies/view.json contains all of them.",
            reason=found.get("DetectionStatusReason", "CloudFormation gave no reason"),
        )
    elif not deleted and not changed:
        yield ok("no resource has changed since the deployment")


def _await_detection(cloudformation: Any, detection: str, limit: float) -> Mapping[str, Any]:
    """Wait for the drift detection, for at most `limit` seconds. Returns its last status."""
    until = time.monotonic() + limit
    while True:
        found: Mapping[str, Any] = cloudformation.describe_stack_drift_detection_status(
            StackDriftDetectionId=detection
        )
        if found["DetectionStatus"] != "DETECTION_IN_PROGRESS" or time.monotonic() > until:
            return found
        time.sleep(_POLL_SECONDS)


def _list_drifted(cloudformation: Any, stack: str) -> Iterator[Mapping[str, Any]]:
    """Yield every resource that has drifted. boto3 has no paginator for them."""
    more: dict[str, str] = {}
    while True:
        page = cloudformation.describe_stack_resource_drifts(
            StackName=stack, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"], **more
        )
        yield from page["StackResourceDrifts"]
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def _changed(drifted: Mapping[str, Any]) -> str:
    """Return which properties of a resource changed; empty if only those that a rollback changes."""
    if drifted["StackResourceDriftStatus"] != "MODIFIED":
        return ""
    kind, moved = MOVED
    paths = sorted(
        {
            one["PropertyPath"]
            for one in drifted.get("PropertyDifferences", [])
            if not (drifted["ResourceType"] == kind and one["PropertyPath"].startswith(moved))
        }
    )
    return f"{drifted['LogicalResourceId']}: {', '.join(paths)}" if paths else ""
