"""The table of checks, and a way through it."""

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
from pennyworth.checks.health.version import check_version

STATE = "stack"

CHECKS: dict[str, Callable[[Subject], Findings]] = {
    STATE: check_state,
    "endpoint": check_endpoint,
    "certificate": check_certificate,
    "served certificate": check_served_certificate,
    "version": check_version,
    "traffic": check_traffic,
    "alarms": check_alarms,
    "drift": check_drift,
    "passrole": check_passrole,
    "trust": check_trust,
    "rights": check_rights,
}
"""Each by its name, in the order in which they are made."""


def examine(subject: Subject, skip: Collection[str] = ()) -> Findings:
    """Every check's findings, as they come. While a deployment is at work, and without a stack, the first alone.

    Args:
        subject: what is looked at.
        skip: names of checks to leave out.
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
        return f"AWS refused {failure.operation_name}: {wanted} is not allowed"
    return f"AWS refused {failure.operation_name}: {told.get('Message') or told.get('Code')}"


def _advise(failure: Exception) -> str:
    if not _lacking(failure):
        return ""
    return "The role lacks that right, which policies/view.json has: run `pennyworth bootstrap` again."


def _lacking(failure: Exception) -> str:
    """The right for want of which AWS refused; empty where it did so for another reason."""
    if not isinstance(failure, ClientError) or not is_denied(failure):
        return ""
    named = re.search(r"perform: ([\w-]+:\w+)", failure.response["Error"].get("Message", ""))
    return named[1] if named else failure.operation_name
