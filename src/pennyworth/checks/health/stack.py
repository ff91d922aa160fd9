"""The stack: its state, and whether somebody changed what it made."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pennyworth.checks.finding import Finding, Findings, Verdict, ok, unhealthy, unknown, warning
from pennyworth.checks.health.subject import Subject

_LONGEST = timedelta(hours=2)
"""What takes longer hangs: a job of the deployment workflow ends after an hour."""

_SOUND = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_BACK = frozenset({"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"})
_FIX = {
    "UPDATE_ROLLBACK_FAILED": "In CloudFormation's console choose 'Continue update rollback'.",
    "DELETE_IN_PROGRESS": "Somebody is deleting it. If that was not you, see in CloudTrail who it was.",
    "DELETE_FAILED": "Delete it in CloudFormation's console, keeping what can't be deleted, and deploy again.",
}

_POLL_SECONDS = 2.0

MOVED = ("AWS::Lambda::Alias", ("/FunctionVersion", "/RoutingConfig"))
"""What a rollback moves by design: the check `version` judges it."""


def check_state(subject: Subject) -> Findings:
    """Whether it is in a state that it should be in."""
    status = subject.status
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
            f"{status}: the last deployment failed, and the one before it runs",
            "See why in that workflow run's summary, and deploy again.",
        )
    elif status.endswith("_IN_PROGRESS") and not status.startswith("DELETE"):
        lasts = datetime.now(UTC) - subject.begun if subject.begun else timedelta()
        minutes = lasts.total_seconds() / 60
        if lasts < _LONGEST:
            yield Finding(Verdict.DEPLOYING, f"a deployment is at work, since {minutes:.0f} min ({status})")
        else:
            yield unhealthy(
                f"{status} since {minutes:.0f} min", "See in CloudFormation's console what it waits for."
            )
    else:
        yield unhealthy(status, _FIX.get(status, "Deploy again: the deployment workflow says what to do."))


def check_drift(subject: Subject) -> Findings:
    """Whether what the stack made is as it was made. Values are not told: they may be credentials."""
    limit = subject.limits.drift_seconds
    if not limit:
        yield ok("not looked at, as asked")
        return
    cloudformation = subject.account.client("cloudformation")
    begun = cloudformation.detect_stack_drift(StackName=subject.stack)["StackDriftDetectionId"]
    found = _await_detection(cloudformation, begun, limit)
    if found["DetectionStatus"] == "DETECTION_IN_PROGRESS":
        yield unknown(f"CloudFormation was not done after {limit:.0f} s", "The next run asks again.")
        return
    drifted = list(_list_drifted(cloudformation, subject.stack))
    deleted = [one["LogicalResourceId"] for one in drifted if one["StackResourceDriftStatus"] == "DELETED"]
    changed = [told for one in drifted if (told := _changed(one))]
    if deleted:
        yield unhealthy(
            f"somebody deleted {', '.join(sorted(deleted))}",
            "Deploy once without it and once with it, or the stack anew.",
        )
    if changed:
        yield warning(
            "changed by hand:\n" + "\n".join(sorted(changed)),
            "Put it into the settings, or undo it: the next deployment that touches it will.",
        )
    if found["DetectionStatus"] == "DETECTION_FAILED":
        yield unknown(
            "CloudFormation could not look at everything: {reason}",
            "Mostly a right to read is missing: policies/view.json has them all.",
            reason=found.get("DetectionStatusReason", "no reason told"),
        )
    elif not deleted and not changed:
        yield ok("everything is as it was deployed")


def _await_detection(cloudformation: Any, detection: str, limit: float) -> Mapping[str, Any]:
    """What became of the detection, as far as it got in a number of seconds."""
    until = time.monotonic() + limit
    while True:
        found: Mapping[str, Any] = cloudformation.describe_stack_drift_detection_status(
            StackDriftDetectionId=detection
        )
        if found["DetectionStatus"] != "DETECTION_IN_PROGRESS" or time.monotonic() > until:
            return found
        time.sleep(_POLL_SECONDS)


def _list_drifted(cloudformation: Any, stack: str) -> Iterator[Mapping[str, Any]]:
    """Every resource that is not as it was made; boto3 has no paginator for them."""
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
    """Which properties of a resource changed; empty where it is only what a rollback moves."""
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
