"""Say what the deploy role would have to trust, where AWS did not hand out credentials."""

from pennyworth.github import actions
from pennyworth.github.identity_token import Inputs, fetch_claims
from pennyworth.host.errors import OperationFailed

TITLE = "AWS did not hand out credentials"

_TRUSTED = {
    "sub": "names it: `--branch` or `--environment`",
    "repository_id": "compares it, if bootstrap knew it: `--repository-id`",
    "repository_owner_id": "compares it, if bootstrap knew it: `--owner-id`",
    "job_workflow_ref": "names it: `--workflow`",
}
"""What the trust policy of a role does with a claim, and the option of `pennyworth bootstrap` that sets it."""


def run(environ: dict[str, str]) -> str:
    """Read from GitHub's token whom this run is known as.

    Args:
        environ: see `Inputs.of`.
    Raises:
        OperationFailed: always, with what to do.
    """
    claims = fetch_claims(Inputs.of(environ))
    advice = (
        f"The trust policy of the role (AWS_DEPLOY_ROLE_ARN, or AWS_VIEW_ROLE_ARN where nothing is deployed) must name"
        f" this run's subject: `{claims['sub']}`. `pennyworth doctor` shows what it trusts, and `pennyworth bootstrap`"
        " changes it. If the log above says that DurationSeconds exceeds MaxSessionDuration: `pennyworth bootstrap"
        " --max-session-seconds` allows more."
    )
    rows = [(f"`{name}`", f"`{value}`", _TRUSTED.get(name, "")) for name, value in claims.items()]
    raise OperationFailed(
        TITLE,
        advice,
        report=f"**{TITLE}.** {advice}\n\n{actions.table(('claim', 'of this run', 'the role'), rows)}",
    )
