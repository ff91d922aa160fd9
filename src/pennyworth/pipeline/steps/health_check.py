"""Look whether the deployed endpoint is well, keep a history, and keep one issue for as long as it is not."""

from pennyworth.checks.finding import Verdict, line
from pennyworth.checks.health.examination import Inputs, check_health
from pennyworth.checks.health.render import as_markdown
from pennyworth.github import actions
from pennyworth.host.errors import OperationFailed

TITLE = "Health check"


def run(environ: dict[str, str]) -> str:
    """Look, and tell. Sets the step's outputs `verdict` and `healthy`.

    Args:
        environ: see `Inputs.of`; and, if wanted, FAIL, whether what is unhealthy fails the step.
    Returns:
        what was seen.
    Raises:
        OperationFailed: it is unhealthy, or nothing could be seen at all.
    """
    inputs = Inputs.of(environ)
    fails = actions.asked(environ, "FAIL", default=True)
    for key in inputs.keys:
        actions.mask(key)
    health = check_health(inputs, lambda finding: actions.say(line(finding)))
    if health.issue_failure:
        actions.warning("The issue could not be kept", health.issue_failure)
    actions.output("verdict", str(health.verdict))
    actions.output("healthy", str(health.sound).lower())
    for finding in health.findings:
        if finding.verdict == Verdict.WARNING:
            actions.warning(f"{finding.check}: {finding.detail}", finding.fix)
    report = as_markdown(health)
    if health.sound:
        return report
    if not fails:
        actions.warning("The endpoint is unhealthy", "What is wrong is in the job's summary.")
        return report
    bad = (Verdict.UNHEALTHY, Verdict.UNKNOWN)
    raise OperationFailed(
        f"The endpoint is {health.verdict}",
        "What was seen, and what to do:",
        "\n".join(line(one) for one in health.findings if one.verdict in bad),
        report,
    )
