"""The stack's alarms."""

from pennyworth.checks.finding import Findings, ok, unhealthy, warning
from pennyworth.checks.health.subject import Subject


def check_alarms(subject: Subject) -> Findings:
    """Whether one has gone off."""
    names = subject.list_resources("AWS::CloudWatch::Alarm")
    if not names:
        yield ok("the stack has none")
        return
    cloudwatch = subject.account.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    for alarm in found:
        if alarm["StateValue"] == "ALARM":
            yield unhealthy(
                "{alarm} has gone off: {reason}",
                alarm.get("AlarmDescription", ""),
                alarm=alarm["AlarmName"],
                reason=alarm.get("StateReason", ""),
            )
    silent = [alarm["AlarmName"] for alarm in found if not alarm.get("ActionsEnabled", True)]
    if silent:
        yield warning(
            "{alarms} would tell nobody",
            "Enable its actions in CloudWatch's console.",
            alarms=", ".join(sorted(silent)),
        )
    missing = sorted(set(names) - {alarm["AlarmName"] for alarm in found})
    if missing:
        yield warning(
            "{alarms} is gone",
            "Deploy once with Monitoring no, then with yes.",
            alarms=", ".join(missing),
        )
    waiting = sum(alarm["StateValue"] == "INSUFFICIENT_DATA" for alarm in found)
    quiet = sum(alarm["StateValue"] == "OK" for alarm in found)
    if quiet + waiting == len(names):
        yield ok(f"{quiet} quiet" + (f", {waiting} without data" if waiting else ""))
