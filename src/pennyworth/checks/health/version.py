"""Checks which version of the function callers reach."""

from pennyworth.checks.finding import Findings, ok, warning
from pennyworth.checks.health.subject import Subject


def check_version(subject: Subject) -> Findings:
    """Check that callers reach the version that the last deployment published."""
    outputs = subject.outputs
    alias, made = outputs.get("FunctionAlias", ""), outputs.get("FunctionVersion", "").rpartition(":")[2]
    if not alias or not made:
        yield ok("the stack has only one version of the function")
        return
    found = subject.account.client("lambda").get_alias(FunctionName=outputs["FunctionName"], Name=alias)
    serving = found["FunctionVersion"]
    others = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    if others:
        shares = ", ".join(f"{share:.0%} version {other}" for other, share in sorted(others.items()))
        yield warning(
            f"callers reach version {serving}, and {shares}",
            "This is normal during a gradual rollout. If none is in progress, deploy again.",
        )
    elif serving != made:
        yield warning(
            f"callers reach version {serving}, not version {made} of the last deployment: it was rolled back",
            "The summary of that workflow run says what failed. Fix it and deploy again.",
        )
    else:
        yield ok(f"callers reach version {serving} of the last deployment")
