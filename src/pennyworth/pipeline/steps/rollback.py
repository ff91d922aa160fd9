"""Let callers reach an earlier version of the function again, and try it as they would."""

from pennyworth.github import actions
from pennyworth.pipeline.deploy.rollback import Inputs, check_answers, roll_back, rolled_back_as_markdown

TITLE = "Rollback"


def run(environ: dict[str, str]) -> str:
    """Point the alias at another version. Sets the step's output `version`.

    Args:
        environ: see `Inputs.of`.
    Returns:
        what serves now, and how it answers.
    Raises:
        OperationFailed: there is no such version, it can't be put back, or it does not answer as it should.
    """
    inputs = Inputs.of(environ)
    if inputs.smoke:
        actions.mask(inputs.smoke.key)
    done = roll_back(inputs)
    actions.output("version", done.version)
    check_answers(done)
    return rolled_back_as_markdown(done)
