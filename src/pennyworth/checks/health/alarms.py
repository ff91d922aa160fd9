"""Checks the stack's CloudWatch alarms."""

from pennyworth.checks.finding import Findings, ok, unhealthy, warning
from pennyworth.checks.health.subject import Subject


def check_alarms(subject: Subject) -> Findings:
    """Check whether an alarm is in the ALARM state, disabled or deleted."""
    names = subject.list_resources("AWS::CloudWatch::Alarm")
    if not names:
        yield ok("the stack has no alarms")
        return
    cloudwatch = subject.account.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    for alarm in found:
        if alarm["StateValue"] == "ALARM":
            yield unhealthy(
                "{alarm} is in ALARM: {reason}",
                alarm.get("AlarmDescription", ""),
                alarm=alarm["AlarmName"],
                reason=alarm.get("StateReason", ""),
            )
    silent = [alarm["AlarmName"] for alarm in found if not alarm.get("ActionsEnabled", True)]
    if silent:
        yield warning(
            "the actions of {alarms} are disabled, so nobody would be notified",
            "Enable the alarm's actions in the CloudWatch console.",
            alarms=", ".join(sorted(silent)),
        )
    missing = sorted(set(names) - {alarm["AlarmName"] for alarm in found})
    if missing:
        yield warning(
            "{alarms} was deleted",
            "Deploy once with the stack parameter Monitoring=no, then with yes.",
            alarms=", ".join(missing),
        )
    waiting = sum(alarm["StateValue"] == "INSUFFICIENT_DATA" for alarm in found)
    quiet = sum(alarm["StateValue"] == "OK" for alarm in found)
    if quiet + waiting == len(names):
        yield ok(f"{quiet} OK" + (f", {waiting} without data" if waiting else ""))
