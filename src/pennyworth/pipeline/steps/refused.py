"""Say what the deploy role would have to trust, where AWS did not hand out credentials."""

import base64
import json
import urllib.request

from pennyworth.host.errors import OperationFailed

TITLE = "AWS did not hand out credentials"

_AUDIENCE = "sts.amazonaws.com"
_SECONDS = 10.0


def run(environ: dict[str, str]) -> str:
    """Read from GitHub's token whom this run is known as.

    Args:
        environ: ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN, as GitHub sets them in a job that may
            ask for tokens.
    Raises:
        OperationFailed: always, with what to do.
    """
    url = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    token = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if not url or not token:
        raise OperationFailed(
            "The job may not ask GitHub for a token",
            "Give the job `permissions: {contents: read, id-token: write}`, and in a caller's workflow the job that"
            " calls. Pull requests from forks never may.",
        )
    raise OperationFailed(
        TITLE,
        f"The trust policy of the role (AWS_DEPLOY_ROLE_ARN, or AWS_VIEW_ROLE_ARN where nothing is deployed) must name"
        f" this run's subject: `{_subject(url, token)}`."
        " `pennyworth doctor` shows what it trusts; policies/README.md says how such a role is made.",
    )


def _subject(url: str, token: str) -> str:
    """The `sub` of the token that AWS was shown: https://docs.github.com/actions/reference/security/oidc."""
    request = urllib.request.Request(  # noqa: S310 - GitHub's own address
        f"{url}&audience={_AUDIENCE}", headers={"Authorization": f"bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            payload = json.load(answer)["value"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["sub"])
    except (OSError, ValueError, LookupError, AttributeError) as failure:
        raise OperationFailed(
            "GitHub gives this run no token", "Run it again; see https://www.githubstatus.com.", str(failure)
        ) from failure
