"""Checks which version of the function callers reach, and whether it runs the package that was deployed."""

from pennyworth.aws.provenance import PARAMETER, Provenance
from pennyworth.checks.finding import Findings, ok, unhealthy, warning
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


def check_package(subject: Subject) -> Findings:
    """Check that the version that callers reach runs the package that a deployment recorded for it."""
    outputs = subject.outputs
    alias, made = outputs.get("FunctionAlias", ""), outputs.get("FunctionVersion", "").rpartition(":")[2]
    recorded = Provenance.find(subject.parameters.get(PARAMETER, ""))
    if not alias or not recorded:
        yield ok("the last deployment recorded no package")
        return
    running = subject.account.client("lambda").get_function_configuration(
        FunctionName=outputs["FunctionName"], Qualifier=alias
    )
    version = running["Version"]
    # an earlier version that serves again has only the record in its own description
    origin = recorded if version == made else Provenance.find(running.get("Description", ""))
    if not origin:
        yield warning(
            f"version {version} has no record of its package",
            "Nothing says which code it runs. Deploy again, or roll back to a version of a deployment.",
        )
    elif running["CodeSha256"] != origin.package:
        yield unhealthy(
            f"version {version} runs another package than the deployment recorded: {running['CodeSha256']}, not"
            f" {origin.package}",
            "Somebody changed the code outside of the pipeline. Look in CloudTrail for UpdateFunctionCode and"
            " UpdateAlias, roll back to a version of a deployment, and change the keys that the function could read.",
        )
    else:
        yield ok(f"version {version} runs the package of commit {origin.commit[:12]}")
