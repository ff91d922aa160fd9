"""The table of checks, and a way through it."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from botocore.exceptions import ClientError

from pennyworth.aws.errors import AWS_FAILURES, is_denied
from pennyworth.checks.finding import Findings, Verdict, unknown
from pennyworth.checks.health.alarms import alarms
from pennyworth.checks.health.certificates import certificate, served_certificate
from pennyworth.checks.health.endpoint import endpoint
from pennyworth.checks.health.rights import passrole, rights, trust
from pennyworth.checks.health.stack import drift, state
from pennyworth.checks.health.subject import Subject
from pennyworth.checks.health.traffic import traffic
from pennyworth.checks.health.version import version

STATE = "stack"

CHECKS: dict[str, Callable[[Subject], Findings]] = {
    STATE: state,
    "endpoint": endpoint,
    "certificate": certificate,
    "served certificate": served_certificate,
    "version": version,
    "traffic": traffic,
    "alarms": alarms,
    "drift": drift,
    "passrole": passrole,
    "trust": trust,
    "rights": rights,
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
