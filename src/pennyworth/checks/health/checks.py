"""The table of checks, and a way through it."""

import re
from collections.abc import Callable, Collection, Iterator

from botocore.exceptions import BotoCoreError, ClientError

from pennyworth.checks.health.alarms import alarms
from pennyworth.checks.health.certificates import certificate, served_certificate
from pennyworth.checks.health.endpoint import endpoint
from pennyworth.checks.health.finding import Finding, Saying, Verdict, unknown
from pennyworth.checks.health.rights import passrole, rights, trust
from pennyworth.checks.health.stack import drift, state
from pennyworth.checks.health.subject import Subject
from pennyworth.checks.health.traffic import traffic
from pennyworth.checks.health.version import version

STATE = "stack"

CHECKS: dict[str, Callable[[Subject], Saying]] = {
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


def examine(subject: Subject, skip: Collection[str] = ()) -> Iterator[Finding]:
    """Every check's findings, as they come. While a deployment is at work, and without a stack, the first alone.

    Args:
        subject: what is looked at.
        skip: names of checks to leave out.
    """
    for name, check in CHECKS.items():
        if name in skip:
            continue
        try:
            for said in check(subject):
                yield Finding(name, said)
                if name == STATE and (said.verdict == Verdict.DEPLOYING or not subject.status):
                    return
        except (ClientError, BotoCoreError) as failure:
            yield Finding(name, unknown("{reason}", _mend(failure), reason=_reason(failure)))


def _reason(failure: Exception) -> str:
    if not isinstance(failure, ClientError):
        return str(failure)
    told = failure.response["Error"]
    if wanted := _lacking(failure):
        return f"AWS refused {failure.operation_name}: {wanted} is not allowed"
    return f"AWS refused {failure.operation_name}: {told.get('Message') or told.get('Code')}"


def _mend(failure: Exception) -> str:
    if not _lacking(failure):
        return ""
    return "The role lacks that right, which policies/view.json has: run `pennyworth bootstrap` again."


def _lacking(failure: Exception) -> str:
    """The right for want of which AWS refused; empty where it did so for another reason."""
    if not isinstance(failure, ClientError):
        return ""
    told = failure.response["Error"]
    if not any(word in told.get("Code", "") for word in ("AccessDenied", "Unauthorized", "NotAuthorized")):
        return ""
    named = re.search(r"perform: ([\w-]+:\w+)", told.get("Message", ""))
    return named[1] if named else failure.operation_name
