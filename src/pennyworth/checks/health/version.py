"""Which version of the function callers reach."""

from pennyworth.checks.finding import Findings, ok, warning
from pennyworth.checks.health.subject import Subject


def check_version(subject: Subject) -> Findings:
    """Whether it is the one that the last deployment made."""
    outputs = subject.outputs
    alias, made = outputs.get("FunctionAlias", ""), outputs.get("FunctionVersion", "").rpartition(":")[2]
    if not alias or not made:
        yield ok("the stack has one version of the function alone")
        return
    found = subject.account.client("lambda").get_alias(FunctionName=outputs["FunctionName"], Name=alias)
    serving = found["FunctionVersion"]
    others = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    if others:
        shares = ", ".join(f"{share:.0%} version {other}" for other, share in sorted(others.items()))
        yield warning(
            f"callers reach version {serving} and {shares}",
            "A gradual rollout does that. If none is at work, deploy again.",
        )
    elif serving != made:
        yield warning(
            f"callers reach version {serving}, not {made} of the last deployment: it was rolled back",
            "See in that workflow run's summary what had failed, fix it and deploy again.",
        )
    else:
        yield ok(f"callers reach version {serving}, which the last deployment made")
