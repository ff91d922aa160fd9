"""Deploy the stack with `sam deploy`, tell its events as they happen, and say what changed and where it runs."""

from pennyworth.github import actions
from pennyworth.github.job_report import Report
from pennyworth.pipeline.deploy.deployment import Inputs, deploy
from pennyworth.pipeline.deploy.render import deployment_as_markdown, describe_place, describe_result

TITLE = "Deployment"


def run(environ: dict[str, str]) -> Report:
    """Deploy. Sets the step's outputs `deployed`, `changed`, `url`, `version` and `previous-version`.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what changed and where it runs.
    Raises:
        OperationFailed: with the first cause.
    """
    inputs = Inputs.of(environ)
    for secret in inputs.secrets():
        actions.mask(secret)
    done = deploy(inputs, _tell)
    actions.output("changed", "true" if done.changes else "false")
    if done.url:
        actions.output("url", done.url)
    if done.version:
        actions.output("version", done.version)
    return Report(deployment_as_markdown(done), describe_result(done), describe_place(done, inputs.stack))


def _tell(previous_version: str) -> None:
    """Tell the later steps at once, so that they test what was deployed even if the rest of this step fails."""
    actions.output("deployed", "true")
    actions.output("previous-version", previous_version)
