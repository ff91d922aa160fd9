"""The OIDC token that tells AWS which workflow run calls.

https://docs.github.com/actions/reference/security/oidc
"""

import base64
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

from pennyworth.host.errors import OperationFailed

JUDGED = (
    "sub",
    "repository_id",
    "repository_owner_id",
    "job_workflow_ref",
    "environment",
    "ref",
    "runner_environment",
)
"""The claims that a role's trust policy can compare:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html"""

_AUDIENCE = "sts.amazonaws.com"
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where a job requests its token."""

    url: str
    token: str = field(repr=False)
    """The bearer token of the request."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Inputs":
        """Read ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN, which GitHub sets.

        Raises:
            OperationFailed: the job lacks the permission `id-token: write`.
        """
        url = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
        token = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
        if not url or not token:
            raise OperationFailed(
                "The job may not request an OIDC token",
                "Give the job `permissions: {contents: read, id-token: write}`. If another workflow calls this one,"
                " give them to the calling job too. Pull requests from forks can't have them.",
            )
        return cls(url, token)


def fetch_claims(inputs: Inputs) -> dict[str, str]:
    """Fetch a token and return those of its claims that AWS can judge. The token itself is kept nowhere.

    Raises:
        OperationFailed: GitHub issued no token.
    """
    request = urllib.request.Request(  # noqa: S310 - GitHub's own address
        f"{inputs.url}&audience={_AUDIENCE}", headers={"Authorization": f"bearer {inputs.token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            payload = json.load(answer)["value"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return {"sub": str(claims["sub"])} | {name: str(claims[name]) for name in JUDGED if claims.get(name)}
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as failure:
        raise OperationFailed(
            "GitHub did not issue an OIDC token",
            "Run this again. See also https://www.githubstatus.com.",
            str(failure),
        ) from failure
