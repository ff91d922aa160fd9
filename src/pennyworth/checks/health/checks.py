"""The table of health checks, and the function that runs them."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from botocore.exceptions import ClientError

from pennyworth.aws.errors import AWS_FAILURES, is_denied
from pennyworth.checks.finding import Findings, Verdict, unknown
from pennyworth.checks.health.alarms import check_alarms
from pennyworth.checks.health.certificates import check_certificate, check_served_certificate
from pennyworth.checks.health.endpoint import check_endpoint
from pennyworth.checks.health.rights import check_passrole, check_rights, check_trust
from pennyworth.checks.health.stack import check_drift, check_state
from pennyworth.checks.health.subject import Subject
from pennyworth.checks.health.traffic import check_traffic
from pennyworth.checks.health.version import check_package, check_version

STATE = "stack"

CHECKS: dict[str, Callable[[Subject], Findings]] = {
    STATE: check_state,
    "endpoint": check_endpoint,
    "certificate": check_certificate,
    "served certificate": check_served_certificate,
    "version": check_version,
    "package": check_package,
    "traffic": check_traffic,
    "alarms": check_alarms,
    "drift": check_drift,
    "passrole": check_passrole,
    "trust": check_trust,
    "rights": check_rights,
}
"""The checks by name, in the order in which they run."""


def examine(subject: Subject, skip: Collection[str] = ()) -> Findings:
    """Run every check and yield its findings.

    During a deployment, or without a stack, only the first check runs.

    Args:
        subject: the endpoint to check.
        skip: names of checks to skip.
    """
    for name, check in CHECKS.items():
        if name in skip:
            continue
        try:
            for found in check(subject):
                yield replace(found, check=name)
                if name == STATE and (found.verdict == Verdict.DEPLOYING or not subject.status):
                    return
        except AWS_FAILURES as failure:
            yield replace(unknown("{reason}", _advise(failure), reason=_reason(failure)), check=name)


def _reason(failure: Exception) -> str:
    if not isinstance(failure, ClientError):
        return str(failure)
    told = failure.response["Error"]
    if wanted := _lacking(failure):
        return f"AWS denied {failure.operation_name}: the permission {wanted} is missing"
    return f"{failure.operation_name} failed: {told.get('Message') or told.get('Code')}"


def _advise(failure: Exception) -> str:
    if not _lacking(failure):
        return ""
    return "policies/view.json contains this permission: run `pennyworth bootstrap` again."


def _lacking(failure: Exception) -> str:
    """Return the permission whose lack made AWS refuse; empty if it failed for another reason."""
    if not isinstance(failure, ClientError) or not is_denied(failure):
        return ""
    named = re.search(r"perform: ([\w-]+:\w+)", failure.response["Error"].get("Message", ""))
    return named[1] if named else failure.operation_name
