"""Say what the deploy role would have to trust, where AWS did not hand out credentials."""

from pennyworth.github.identity_token import Inputs, fetch_subject
from pennyworth.host.errors import OperationFailed

TITLE = "AWS did not hand out credentials"


def run(environ: dict[str, str]) -> str:
    """Read from GitHub's token whom this run is known as.

    Args:
        environ: see `Inputs.of`.
    Raises:
        OperationFailed: always, with what to do.
    """
    raise OperationFailed(
        TITLE,
        f"The trust policy of the role (AWS_DEPLOY_ROLE_ARN, or AWS_VIEW_ROLE_ARN where nothing is deployed) must name"
        f" this run's subject: `{fetch_subject(Inputs.of(environ))}`."
        " `pennyworth doctor` shows what it trusts; policies/README.md says how such a role is made.",
    )
