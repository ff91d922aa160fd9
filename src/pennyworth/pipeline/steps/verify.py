"""Try what was deployed as its users would; where it fails, put the version back that served before, and try that."""

from pennyworth.checks.smoke.deployed_endpoint import tried_as_markdown
from pennyworth.github import actions
from pennyworth.pipeline.deploy.verify import Inputs, verify
from pennyworth.pipeline.steps import smoke_test

TITLE = "Smoke tests"


def run(environ: dict[str, str]) -> str:
    """Run the smoke tests. Sets the outputs that the step `smoke_test` does, of the version that was deployed.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what was seen.
    Raises:
        OperationFailed: a check failed. It tells both stories: what failed, and what serves now.
    """
    inputs = Inputs.of(environ)
    actions.mask(inputs.smoke.key)
    tried = verify(inputs, lambda tried: smoke_test.tell(tried, inputs.smoke.junit))
    return tried_as_markdown(tried)
