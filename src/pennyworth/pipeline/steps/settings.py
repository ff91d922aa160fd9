"""Check the settings, before anything else: the required ones, the choices, and the stack's parameters."""

from pennyworth.github import actions, job_report
from pennyworth.pipeline.deploy.required_settings import Inputs, check_settings

TITLE = "Settings"


def run(environ: dict[str, str]) -> job_report.Report:
    """Check all of them, and begin the report of the job.

    Args:
        environ: see `Inputs.of`.
    Returns:
        where the endpoint is to be.
    Raises:
        OperationFailed: with every one that is missing or wrong.
    """
    job_report.begin()
    inputs = Inputs.of(environ)
    for secret in inputs.secrets():
        actions.mask(secret)
    check_settings(inputs)
    return job_report.Report(place=f"`{environ['STACK_NAME'].strip()}` in {environ['AWS_REGION'].strip()}")
