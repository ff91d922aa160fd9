"""Warn of a user's static keys, and say how to leave them."""

from pennyworth.github import actions

TITLE = "Static AWS keys"


def run(environ: dict[str, str]) -> str:
    """Warn.

    Args:
        environ: nothing of it is used.
    Returns:
        how to leave them.
    """
    del environ
    actions.warning(TITLE, "This run uses keys that do not expire. See the summary for how to leave them.")
    return (
        "⚠️ Whoever reads `AWS_SECRET_ACCESS_KEY` can use it until somebody notices, and PassRole is not tightened.\n"
        "To leave it: make the deploy role (policies/README.md), set the secret `AWS_DEPLOY_ROLE_ARN` to its ARN, which"
        " then comes first, and see one deployment through. Then remove the secrets `AWS_ACCESS_KEY_ID` and"
        " `AWS_SECRET_ACCESS_KEY`, and delete the user's access key in IAM."
    )
