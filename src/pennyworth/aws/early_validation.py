"""Reads why CloudFormation refused a change set, or an operation, before it began: its early validation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pennyworth.aws.errors import is_denied
from pennyworth.aws.name_conflicts import find_remedy

_REFUSALS = frozenset({"VALIDATION_ERROR", "HOOK_INVOCATION_ERROR"})
_NAME_CONFLICT = "NAME_CONFLICT_VALIDATION"
_SKEW = timedelta(minutes=1)  # between this machine's clock and AWS's
_DENIED = (
    "CloudFormation's validation refused it. The role may not read why: `pennyworth bootstrap` gives it"
    " cloudformation:DescribeEvents. Then run this again."
)


def explain_refusal(
    cloudformation: Any, stack: str, since: datetime | None = None, change_set: str = ""
) -> str:
    """Say which resources CloudFormation's validation refused, why, and what to do about each.

    Args:
        cloudformation: the boto3 client for CloudFormation.
        stack: the stack's name.
        since: leaves out what is older, such as an earlier deployment's.
        change_set: the ARN of the refused change set. By default, those of the stack that failed since then.
    Returns:
        one paragraph for each resource; empty if the validation refused nothing.
    """
    begin = since - _SKEW if since else datetime.min.replace(tzinfo=UTC)
    try:
        failed = [change_set] if change_set else list(_list_failed(cloudformation, stack, begin))
        # AWS says neither whether both names are judged, nor whether the stack's alone finds a change set's events
        events, denied = _collect_events(cloudformation, stack, failed)
    except (BotoCoreError, ClientError):
        return ""
    if denied and not events:
        return _DENIED
    told = dict.fromkeys(_describe(one) for one in events if _refuses(one, begin))
    return "\n".join(told)


def _collect_events(
    cloudformation: Any, stack: str, change_sets: list[str]
) -> tuple[list[Mapping[str, Any]], bool]:
    """Collect the events of change sets, or else of the stack, and whether a call was denied."""
    denied = False
    for named in [*({"ChangeSetName": arn} for arn in change_sets), {}]:
        try:
            if events := list(_list_events(cloudformation, StackName=stack, **named)):
                return events, denied
        except ClientError as failure:
            if not is_denied(failure):
                raise
            denied = True
    return [], denied


def _list_failed(cloudformation: Any, stack: str, begin: datetime) -> Iterator[str]:
    """List the change sets that have failed, newest first. DescribeEvents finds them by their ARNs alone."""
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack)
    found = [one for page in pages for one in page["Summaries"] if one["Status"] == "FAILED"]
    for one in sorted(found, key=lambda one: one["CreationTime"], reverse=True):
        if one["CreationTime"] >= begin:
            yield one["ChangeSetId"]


def _list_events(cloudformation: Any, **named: str) -> Iterator[Mapping[str, Any]]:
    pages = cloudformation.get_paginator("describe_events").paginate(**named, Filters={"FailedEvents": True})
    for page in pages:
        yield from page["OperationEvents"]


def _refuses(event: Mapping[str, Any], begin: datetime) -> bool:
    return (
        event.get("EventType") in _REFUSALS
        and event.get("ValidationFailureMode", event.get("HookFailureMode")) != "WARN"
        and event["Timestamp"] >= begin
    )


def _describe(event: Mapping[str, Any]) -> str:
    kind = event.get("ResourceType", "")
    reason = event.get("ValidationStatusReason") or event.get("HookStatusReason") or event.get("HookType", "")
    where = f" at {path}" if (path := event.get("ValidationPath")) else ""
    remedy = f" {find_remedy(kind)}" if event.get("ValidationName") == _NAME_CONFLICT else ""
    return f"{event.get('LogicalResourceId', '')} ({kind}){where}: {str(reason).rstrip('.')}.{remedy}"
