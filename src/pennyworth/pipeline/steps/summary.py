"""Write the summary of a whole deployment, at its end: what happened, where and how long it took; then the rest."""

from pennyworth.github import actions, job_report

TITLE = "Summary"

_RESULTS = ("Smoke tests", "Deployment")
_OTHERWISE = {
    True: "Checked and built: nothing was changed in AWS",
    False: "Done",
}


def run(environ: dict[str, str]) -> str:
    """Write what the steps before this one have reported.

    Args:
        environ: DRY_RUN, whether nothing was to be changed.
    Returns:
        nothing: the summary is no part of itself.
    """
    dry = actions.asked(environ, "DRY_RUN", default=False)
    if parts := job_report.finish():
        actions.summary(job_report.as_markdown(parts, _RESULTS, _OTHERWISE[dry]))
    return ""
